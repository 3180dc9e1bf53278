// What the driver threw -> the engine's user-facing errors: a P code, a message, and in `meta` the
// SQLSTATE and PostgreSQL's message. `meta` is always an object: the Python client needs one.
//
// PostgreSQL's DETAIL is left out on purpose: it quotes whole rows.
import { ForeignTimeError, PoolTimeoutError, SettingsDroppedError } from './pool.mjs'

const NOT_REACHABLE = new Set(['ECONNREFUSED', 'ENOTFOUND', 'ENOENT', 'EACCES', 'EHOSTUNREACH', 'ENETUNREACH', 'EAI_AGAIN', '57P03'])
const OF_TLS = /SSL|TLS|CERT|CRL|ISSUER|SIGNATURE|INVALID_CA|INVALID_PURPOSE|HOSTNAME_MISMATCH/
const TIMED_OUT = new Set(['ETIMEDOUT'])
const CLOSED = new Set(['ECONNRESET', 'EPIPE', '57P01', '57P02', '08006', '08003'])

// A prepared statement that is not there, or is there already, or has other parameters.
const OF_STATEMENTS = new Set(['26000', '42P05'])
const USE_PGBOUNCER =
  'a connection pooler stands there: add pgbouncer=true to the parameters of the database URL, or connect to the server itself'

/** The errors that the engine itself knows how to name; everything else is named by `explain`. */
export const KNOWN_TO_ENGINE = new Set(['22001', '22003', '23502', '23503', '23505', '40001', '42P01', '42703'])

/**
 * @param {Error} error as pg, pg-pool or Node threw it
 * @param {object} where `settings` of the connection, and whether the query was `raw`
 */
export function explain(error, { settings, raw = false }) {
  const { code, message, meta } = connection(error, settings) ?? pool(error, settings) ?? statement(error, raw)
  return userFacing(code, message, { ...meta, ...details(error) })
}

export function userFacing(code, message, meta = {}, error = message) {
  return { error, user_facing_error: { is_panic: false, message, meta, ...(code && { error_code: code }) } }
}

function details(error) {
  const { code, constraint, table, column, hint } = error
  const given = { sqlstate: isSqlState(code) ? code : undefined, message: reason(error), constraint, table, column, hint }
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value))
}

function isSqlState(code) {
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code)
}

function connection(error, settings) {
  const { host, port, user, database } = settings
  const place = host.startsWith('/') ? `\`${host}\`, port ${port}` : `\`${host}:${port}\``
  const message = reason(error)
  switch (error.code) {
    case '28P01':
    case '28000':
      return { code: 'P1000', message: `Authentication failed against the database server at ${place}: the credentials for \`${user}\` are not valid (${message})` }
    case '3D000':
      return { code: 'P1003', message: `Database \`${database}\` does not exist on the database server at ${place}` }
    case '53300':
      return { code: 'P2037', message: `Too many database connections opened: ${message}` }
  }
  if (error instanceof SettingsDroppedError || (!settings.pooled && /unsupported startup parameter/.test(message))) {
    return { code: 'P1013', message: `The connection to ${place} cannot be used (${message}); ${USE_PGBOUNCER}` }
  }
  if (CLOSED.has(error.code) || /^(Connection terminated( unexpectedly)?|Client has encountered a connection error.*|Client was closed.*)$/.test(message)) {
    return { code: 'P1017', message: `Server has closed the connection (${message})` }
  }
  if (TIMED_OUT.has(error.code) || /^(timeout expired|Connection terminated due to connection timeout)$/.test(message)) {
    return { code: 'P1002', message: `The database server at ${place} did not answer in time (connect_timeout is ${settings.connectTimeoutMillis / 1000} s)` }
  }
  if (NOT_REACHABLE.has(error.code)) {
    return { code: 'P1001', message: `Can't reach database server at ${place} (${message})` }
  }
  if (OF_TLS.test(error.code) || /SSL connection/.test(message)) {
    return { code: 'P1011', message: `Error opening a TLS connection to ${place}: ${message}` }
  }
  if (/password must be a string|no password|SASL/i.test(message)) {
    return { code: 'P1000', message: `Authentication failed against the database server at ${place}: ${message}` }
  }
}

/** Node joins the failures of all addresses of a host into one error without a message. */
function reason(error) {
  return error.message || error.errors?.map((each) => each.message).join('; ') || error.code || String(error)
}

function pool(error, { max, connectionTimeoutMillis }) {
  if (error instanceof PoolTimeoutError) return { code: 'P2028', message: `Transaction API error: ${error.message}` }
  if (error.message !== 'timeout exceeded when trying to connect') return undefined
  const timeout = connectionTimeoutMillis / 1000
  return {
    code: 'P2024',
    message: `Timed out fetching a new connection from the connection pool (connection_limit: ${max}, pool_timeout: ${timeout} s)`,
    meta: { connection_limit: max, timeout },
  }
}

function statement(error, raw) {
  const { code, message } = error
  if (error instanceof ForeignTimeError) return { code: undefined, message }
  if (OF_STATEMENTS.has(code)) return { code: undefined, message: `The database has mixed up its prepared statements (${message}); ${USE_PGBOUNCER}` }
  if (code === '25006') return { code: undefined, message: `The database is read-only (a standby, or by default_transaction_read_only): write to the primary (${message})` }
  if (raw) return { code: 'P2010', message: `Raw query failed. Code: \`${code ?? 'N/A'}\`. Message: \`${message}\``, meta: { code } }
  if (code === '40P01') return { code: 'P2034', message: `Transaction failed due to a write conflict or a deadlock: ${message}` }
  if (code === '42501') return { code: 'P1010', message: `User was denied access: ${message}` }
  // integrity constraints, and what triggers raise to enforce them
  if (/^(23|P0001)/.test(code)) return { code: 'P2004', message: `A constraint failed on the database: ${message}`, meta: { database_error: message } }
  if (/^22/.test(code)) return { code: 'P2023', message: `Inconsistent column data: ${message}` }
  return { code: undefined, message: `The database refused the query: ${message}${isSqlState(code) ? ` (SQLSTATE ${code})` : ''}` }
}
