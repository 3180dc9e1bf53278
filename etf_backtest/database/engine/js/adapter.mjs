// @prisma/adapter-pg with our pool beneath it: statements get names, times and log events, any
// catalogue type can be read, and errors that the engine has no name for keep what the driver said.
import { PrismaPg } from '@prisma/adapter-pg'
import { bindAdapter } from '@prisma/driver-adapter-utils'
import { readCatalogTypes } from './catalog_types.mjs'
import { KNOWN_TO_ENGINE } from './driver_errors.mjs'
import { ForeignTimeError } from './pool.mjs'
import { isStale, StatementNames } from './statement_names.mjs'

// timestamp, timestamptz and date, and their arrays
const TIMES = new Set([1082, 1114, 1115, 1182, 1184, 1185])
// adapter-pg passes an instant without its offset
const PASSED_TIME = /^\d{4}-\d\d-\d\d( \d\d:\d\d:\d\d(\.\d+)?)?$/
// undone at the end of the transaction, unlike any other SET
const SET_FOR_TRANSACTION = /^\s*SET\s+(LOCAL|TRANSACTION|CONSTRAINTS)\b/i

/** The adapter's way to PostgreSQL outside of transactions: each query on any free connection. */
class PoolSession {
  constructor(pool, context) {
    this.pool = pool
    this.context = context
  }

  // not pool.query(), which throws a connection away whenever a statement fails
  async query(config, values) {
    const connection = await this.pool.connect()
    try {
      return await run(connection, config, values, this.context)
    } catch (error) {
      if (config.name === undefined || !isStale(error)) throw error
      return await run(connection, config, values, this.context)
    } finally {
      release(connection)
    }
  }

  on() {}

  removeListener() {}
}

/** One connection that is held for a transaction. */
class TransactionSession {
  constructor(connection, context) {
    this.connection = connection
    this.context = context
  }

  query(config, values) {
    return run(this.connection, config, values, this.context)
  }

  on(...args) {
    return this.connection.on(...args)
  }

  removeListener(...args) {
    return this.connection.removeListener(...args)
  }

  release(error) {
    return release(this.connection, error)
  }
}

/** Back into the pool, or closed if it is not for the next user. */
function release(connection, error) {
  connection.release(error ?? !connection.reusable)
}

async function run(connection, config, values, { names, observe }) {
  const started = performance.now()
  let failed = true
  try {
    config.name = names?.of(config.text)
    // the simple protocol would run "SELECT 1; DROP TABLE ..." as two statements
    config.queryMode = 'extended'
    if (!connection.tellsOurTime && values?.flat().some((value) => PASSED_TIME.test(value))) throw new ForeignTimeError()
    const result = await connection.query(config, values)
    if (/^(RE)?SET$/.test(result.command) && !SET_FOR_TRANSACTION.test(config.text)) connection.altered = true
    if (!connection.tellsOurTime && result.fields.some(({ dataTypeID }) => TIMES.has(dataTypeID))) throw new ForeignTimeError()
    failed = false
    return result
  } catch (error) {
    if (isStale(error)) names?.forget(config.text)
    throw error
  } finally {
    observe({ query: config.text, values, duration: performance.now() - started, failed })
  }
}

function prepared(queryable, session) {
  const typed = queryable.onError.bind(queryable)
  queryable.client = session
  queryable.onError = (error) => (KNOWN_TO_ENGINE.has(error.code) ? typed(error) : raiseWhole(error))
  return readCatalogTypes(queryable)
}

/** A plain error travels through the engine as an id and comes back whole from its error registry. */
function raiseWhole(error) {
  throw error
}

/** What the engine is told as isolation level to begin on the connection that the pool has reserved. */
export const ON_RESERVED_CONNECTION = 'ReadCommitted'

/**
 * The adapter that the engine is given.
 *
 * @param {ConnectionPool} pool
 * @param {object} settings of the connection: `schema`, `preparedStatements`
 * @param {(event: {query: string, values: unknown[], duration: number, failed: boolean}) => void} observe
 */
export async function boundAdapter(pool, settings, observe) {
  const statementNames = new StatementNames()
  // asked each time: the first connection may find a pooler
  const context = { get names() { return settings.preparedStatements ? statementNames : undefined }, observe }
  const adapter = await new PrismaPg(pool, { schema: settings.schema }).connect()
  const begin = adapter.startTransaction
  prepared(adapter, new PoolSession(pool, context))
  adapter.startTransaction = async (isolationLevel) => {
    // an isolation level marks interactive transactions; it is never sent: the server's default holds
    const connection = isolationLevel ? pool.takeReserved() : await pool.connect()
    const session = new TransactionSession(connection, context)
    const starting = Object.create(adapter, { client: { value: { connect: async () => session } } })
    return prepared(await begin.call(starting), session)
  }
  return bindAdapter(adapter)
}
