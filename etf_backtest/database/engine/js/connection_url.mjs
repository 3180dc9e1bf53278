// A PostgreSQL connection URL as Prisma and libpq write it -> settings for pg, field by field.
//
// Neither `new URL` nor pg's own parser will do: the first refuses an empty host beside a user name
// (unix sockets are written that way), the second takes `sslmode=require` for "verify".
import { readFileSync } from 'node:fs'
import { connect, isIP } from 'node:net'
import { availableParallelism } from 'node:os'

const SHAPE = /^postgres(?:ql)?:\/\/(?:(?<userinfo>[^/?#]*)@)?(?<authority>[^/?#@]*)(?:\/(?<database>[^?#]*))?(?:\?(?<query>[^#]*))?$/
const HOST_AND_PORT = /^(?:\[(?<address>[^\]]*)\]|(?<host>[^:,]*))(?::(?<port>\d*))?$/
const PROBE_WITHIN = 2000
const SCHEMA_BEHIND_POOLER =
  'schema in the database URL cannot be combined with pgbouncer=true, other than schema=public: ' +
  'connect to the server itself, or keep the tables in public'
const EXAMPLE = 'postgresql://user:password@localhost:5432/database'

/** The URL cannot be used. The message never holds the URL: it may hold a password. */
export class ConnectionUrlError extends Error {
  name = 'ConnectionUrlError'
}

/**
 * Settings that `new pg.Pool()`, `new pg.Client()` and adapter-pg's `PrismaPg` take, and more:
 * `schema` (for the adapter's options), `tlsOptional` (see `decideTls`), `connectTimeoutMillis`,
 * `pooled` and `startup`: behind pgbouncer a session's settings go as parameters of its start, the
 * only way in which pgbouncer keeps them for each of its clients (and only a handful of them).
 *
 * @param {string} url
 * @param {Record<string, string>} [sessionOptions] set for every session, after those of the URL
 */
export function connectionSettings(url, sessionOptions = { TimeZone: 'UTC', DateStyle: 'ISO, MDY' }) {
  const { userinfo, authority, database, query } = parts(url)
  const parameters = new URLSearchParams(query)
  const given = (name) => parameters.get(name) || undefined
  const [user, password] = credentials(userinfo)
  const { address, host: name, port } = hostAndPort(authority)
  const host = given('host') ?? address ?? (decoded(name, 'host') || 'localhost')
  const schema = given('schema')
  const pooled = given('pgbouncer') === 'true'
  if (pooled && schema && schema !== 'public') throw new ConnectionUrlError(SCHEMA_BEHIND_POOLER)
  const settings = { ...(schema && { search_path: quoted(schema) }), ...sessionOptions }
  return {
    host,
    port: wholeNumber('port', given('port') ?? port, 5432),
    user: given('user') ?? user,
    password: given('password') ?? password,
    database: given('dbname') ?? (decoded(database, 'database') || 'postgres'),
    ...tls(given, host),
    schema,
    options: serverOptions(given('options'), pooled ? {} : settings),
    startup: pooled ? sessionOptions : {},
    pooled,
    application_name: given('application_name'),
    max: wholeNumber('connection_limit', given('connection_limit'), 2 * availableParallelism() + 1),
    // pg has one timeout for both waits; `pool.mjs` tells them apart
    connectionTimeoutMillis: 1000 * wholeNumber('pool_timeout', given('pool_timeout'), 10),
    connectTimeoutMillis: 1000 * wholeNumber('connect_timeout', given('connect_timeout'), 5),
    preparedStatements: !pooled && given('statement_cache_size') !== '0',
  }
}

/**
 * Settle `sslmode=prefer`, which pg does not know: ask the server whether it speaks TLS.
 * Of a server that does not answer nothing is decided: connecting will tell what is wrong with it.
 */
export async function decideTls(settings) {
  if (!settings.tlsOptional) return settings
  const offered = await offersTls(settings)
  return { ...settings, tlsOptional: false, ssl: offered ? settings.ssl : false }
}

function parts(url) {
  const groups = SHAPE.exec(url)?.groups
  if (!groups) {
    throw new ConnectionUrlError(
      `The database URL cannot be read: expected ${EXAMPLE}, with the characters / ? # @ : % of a ` +
      'user name or password written as %2F %3F %23 %40 %3A %25')
  }
  return groups
}

function credentials(userinfo = '') {
  const colon = userinfo.indexOf(':')
  if (colon < 0) return [decoded(userinfo, 'user name') || undefined, undefined]
  return [
    decoded(userinfo.slice(0, colon), 'user name') || undefined,
    decoded(userinfo.slice(colon + 1), 'password') || undefined,
  ]
}

function hostAndPort(authority) {
  // a unix socket's folder may also stand, %-encoded, where the host does
  const groups = HOST_AND_PORT.exec(authority)?.groups
  if (!groups) throw new ConnectionUrlError('The database URL must name one host, as host, host:port or [IPv6 address]:port')
  return groups
}

function decoded(text = '', what) {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new ConnectionUrlError(`The ${what} in the database URL has a % that starts no %-encoded character (write % as %25)`)
  }
}

function wholeNumber(name, text, otherwise) {
  if (!text) return otherwise
  if (!/^\d{1,7}$/.test(text)) throw new ConnectionUrlError(`${name} in the database URL must be a whole number`)
  return Number(text)
}

/** `verify-*` and `sslaccept=strict` verify; `require` does so only when told which root to trust. */
function tls(given, host) {
  const local = host.startsWith('/') || host === 'localhost' || host === '::1' || host.startsWith('127.')
  const mode = given('sslmode') ?? (local ? 'disable' : 'prefer')
  if (mode === 'disable' || mode === 'allow' || host.startsWith('/')) return { ssl: false, tlsOptional: false }
  if (!['prefer', 'require', 'verify-ca', 'verify-full'].includes(mode)) {
    throw new ConnectionUrlError('sslmode in the database URL must be disable, allow, prefer, require, verify-ca or verify-full')
  }
  // libpq: sslcert and sslkey are the client's, sslrootcert is the root. Prisma: sslcert is the root.
  const root = given('sslrootcert') ?? (given('sslkey') ? undefined : given('sslcert'))
  const strict = mode.startsWith('verify') || root !== undefined || given('sslaccept') === 'strict'
  const ssl = { rejectUnauthorized: strict }
  if (root !== undefined && root !== 'system') ssl.ca = certificate('sslrootcert', root)
  if (given('sslkey')) {
    ssl.key = certificate('sslkey', given('sslkey'))
    ssl.cert = certificate('sslcert', given('sslcert'))
  }
  if (given('sslidentity')) ssl.pfx = certificate('sslidentity', given('sslidentity'), null)
  if (given('sslpassword')) ssl.passphrase = given('sslpassword')
  if (strict && mode !== 'verify-full' && given('sslaccept') !== 'strict') ssl.checkServerIdentity = () => undefined
  // otherwise Node would check the certificate of an address against "localhost"
  if (isIP(host)) ssl.host = host
  return { ssl, tlsOptional: mode === 'prefer' }
}

function certificate(name, path, encoding = 'utf8') {
  try {
    return readFileSync(path, encoding)
  } catch (error) {
    throw new ConnectionUrlError(`${name} in the database URL names a file that cannot be read (${error.code}): ${path}`)
  }
}

function serverOptions(fromUrl, session) {
  const ours = Object.entries(session).map(([name, value]) => `-c ${name}=${value.replace(/[\\ ]/g, '\\$&')}`)
  return [...(fromUrl ? [fromUrl] : []), ...ours].join(' ') || undefined
}

function quoted(identifier) {
  return `"${identifier.replaceAll('"', '""')}"`
}

/** PostgreSQL's SSLRequest: eight bytes, answered by one, S or N. */
function offersTls({ host, port, connectTimeoutMillis }) {
  return new Promise((resolve) => {
    const socket = connect({ host, port })
    const answer = (offered) => {
      socket.destroy()
      resolve(offered)
    }
    socket.setTimeout(Math.min(connectTimeoutMillis || PROBE_WITHIN, PROBE_WITHIN), () => answer(true))
    socket.on('error', () => answer(true))
    socket.on('close', () => answer(true))
    socket.on('connect', () => socket.write(Buffer.from([0, 0, 0, 8, 4, 210, 22, 47])))
    socket.on('data', (data) => answer(data[0] === 0x53))
  })
}
