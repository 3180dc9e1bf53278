// PostgreSQL types that adapter-pg 6.19.3 refuses, or turns into JavaScript objects, read as text.
import { ColumnTypeEnum } from '@prisma/driver-adapter-utils'
import pg from 'pg'
import { parse as parseArray } from 'postgres-array'

const TEXT = 25
const TEXT_ARRAY = 1009
const CHAR = 18
const CHAR_ARRAY = 1002
const FIRST_USER_DEFINED = 16384

// the built-in types that adapter-pg maps itself; every other one is text here
const MAPPED = new Set([
  16, 17, 20, 21, 23, 25, 26, 114, 142, 650, 700, 701, 790, 869, 1042, 1043, 1082, 1083, 1114, 1184,
  1266, 1560, 1562, 1700, 2950, 3802,
  143, 199, 651, 791, 1000, 1001, 1005, 1007, 1009, 1014, 1015, 1016, 1021, 1022, 1028, 1041, 1115,
  1182, 1183, 1185, 1231, 1561, 1563, 2951, 3807,
])
// arrays of such types: name[], interval[], point[], the ranges, reg*[] and so on (box[], with its `;`
// between elements, stays text)
const ARRAYS = new Set([
  271, 629, 719, 775, 1003, 1006, 1008, 1010, 1011, 1012, 1013, 1017, 1018, 1019, 1027, 1034, 1040,
  1187, 1263, 1270, 2201, 2207, 2208, 2209, 2210, 2211, 2287, 2949, 3221, 3643, 3644, 3645, 3735,
  3770, 3905, 3907, 3909, 3911, 3913, 3927, 4073, 4090, 4097, 4192, 5039, 6150, 6151, 6152, 6153,
  6155, 6157,
])

// pg parses point, circle, interval and their arrays into objects: keep PostgreSQL's own text
for (const oid of [600, 718, 1186]) pg.types.setTypeParser(oid, (text) => text)
for (const oid of [CHAR_ARRAY, ...ARRAYS]) pg.types.setTypeParser(oid, (text) => parseArray(text, (item) => item))

/** The oid of a type that adapter-pg can read, for any oid. */
export function readableOid(oid) {
  if (MAPPED.has(oid) || oid >= FIRST_USER_DEFINED) return oid
  return ARRAYS.has(oid) || oid === CHAR_ARRAY ? TEXT_ARRAY : TEXT
}

/**
 * Let `queryRaw` of an adapter or a transaction of adapter-pg answer any type.
 *
 * "char" must stay a Character for the engine: as text, the schema engine dies on a CHECK constraint.
 */
export function readCatalogTypes(queryable) {
  const { queryRaw } = queryable
  queryable.queryRaw = async (query) => {
    const result = await queryable.performIO(query)
    const oids = result.fields.map((field) => field.dataTypeID)
    result.fields.forEach((field) => { field.dataTypeID = readableOid(field.dataTypeID) })
    const answered = Object.create(queryable, { performIO: { value: async () => result } })
    const answer = await queryRaw.call(answered, query)
    oids.forEach((oid, i) => {
      if (oid === CHAR) answer.columnTypes[i] = ColumnTypeEnum.Character
      if (oid === CHAR_ARRAY) answer.columnTypes[i] = ColumnTypeEnum.CharacterArray
    })
    return answer
  }
  return queryable
}
