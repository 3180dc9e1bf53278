// The engine as a service: what each operation does, and what is answered when it fails.
import { boundAdapter } from './adapter.mjs'
import { connectionSettings, ConnectionUrlError, decideTls } from './connection_url.mjs'
import { explain, userFacing } from './driver_errors.mjs'
import { Metrics } from './metrics.mjs'
import { ConnectionPool, SettingsDroppedError } from './pool.mjs'
import { TransactionClosedError, Transactions } from './transactions.mjs'
import { createEngine } from './wasm.mjs'

const TRACE = '{}'
const RAW_ACTIONS = new Set(['queryRaw', 'executeRaw'])

export class EngineService {
  #requests = 0

  /** Connect and prove it: adapter-pg alone would first touch the database on the first query. */
  static async connect({ url, datamodel, logQueries }, logEvent) {
    const service = new EngineService()
    try {
      service.settings = await decideTls(connectionSettings(url))
    } catch (error) {
      if (error instanceof ConnectionUrlError) throw new Refusal(userFacing('P1013', error.message))
      throw error
    }
    service.pool = new ConnectionPool(service.settings)
    service.metrics = new Metrics(service.pool)
    try {
      await Promise.all([service.#reachDatabase(), service.#startEngine(datamodel, logQueries ? logEvent : undefined)])
    } catch (error) {
      service.pool.end()
      throw error
    }
    return service
  }

  async #reachDatabase() {
    let connection
    try {
      connection = await this.pool.connect()
      if (!connection.startedAsAsked) throw new SettingsDroppedError()
      // another's process answers: a pooler, behind which a name may be of somebody else's statement
      const { rows: [{ pid }] } = await connection.query('SELECT pg_catalog.pg_backend_pid() AS pid')
      if (pid !== connection.processID) this.settings.preparedStatements = false
    } catch (error) {
      throw new Refusal(explain(error, this))
    } finally {
      connection?.release()
    }
  }

  async #startEngine(datamodel, logEvent) {
    const observe = ({ query, values, duration, failed }) => {
      this.metrics.statement(duration)
      logEvent?.({ query, params: values, duration_ms: duration, failed })
    }
    this.adapter = await boundAdapter(this.pool, this.settings, observe)
    this.engine = createEngine(datamodel, this.adapter, (line) => process.stderr.write(`${line}\n`))
    this.transactions = new Transactions(this.pool, (method, ...args) => this.#call(method, ...args))
    await this.engine.connect(TRACE, this.#requestId())
  }

  /** @returns {Promise<string>} the engine's reply, JSON; errors are part of it */
  async query(body, transaction) {
    const done = this.metrics.begin()
    try {
      if (transaction) this.transactions.check(transaction)
      const reply = await this.engine.query(body, TRACE, transaction || undefined, this.#requestId())
      if (!reply.startsWith('{"errors"') && !reply.startsWith('{"batchResult"')) return reply
      if (transaction) this.transactions.check(transaction) // an expired one says so, not "canceled"
      return this.#explained(reply, body)
    } finally {
      done()
    }
  }

  async start(body) {
    const started = performance.now()
    try {
      return JSON.stringify(await this.transactions.start(JSON.parse(body)))
    } finally {
      this.metrics.waited(performance.now() - started)
    }
  }

  async commit(transaction) {
    return JSON.stringify(await this.transactions.commit(transaction))
  }

  async rollback(transaction) {
    return JSON.stringify(await this.transactions.rollback(transaction))
  }

  measure(body) {
    const { format, global_labels: labels } = JSON.parse(body)
    return format === 'prometheus' ? this.metrics.prometheus(labels ?? {}) : JSON.stringify(this.metrics.json(labels ?? {}))
  }

  async stop() {
    this.pool.cancelAll()
    await this.transactions.rollbackAll()
    await this.pool.end()
  }

  /** Whatever failed, as the list of errors that the client understands. */
  errorsOf(error) {
    if (error instanceof Refusal) return [error.reply]
    if (error instanceof TransactionClosedError) return [error.reply]
    return [explain(error, this)]
  }

  async #call(method, ...args) {
    const reply = JSON.parse((await this.engine[method](...args, TRACE, this.#requestId())) || '{}')
    if (!reply.error_code && !reply.errors && reply.is_panic === undefined) return reply
    const [error] = reply.errors ?? [{ error: reply.message, user_facing_error: reply }]
    throw new Refusal(this.#resolved(error, false))
  }

  #explained(reply, body) {
    const parsed = JSON.parse(reply)
    const query = JSON.parse(body)
    for (const each of [parsed, ...(parsed.batchResult ?? [])]) {
      each.errors = each.errors?.map((error) => {
        const failed = query.batch?.[error.user_facing_error?.batch_request_idx ?? 0] ?? query
        return this.#resolved(error, RAW_ACTIONS.has(failed.action))
      })
    }
    return JSON.stringify(parsed)
  }

  /** Put what the driver threw in the place of the engine's id for it; `meta` is never null. */
  #resolved(error, raw) {
    const facing = error.user_facing_error ?? {}
    if (facing.error_code === 'P2036') {
      const { registeredErrors } = this.adapter.errorRegistry
      const thrown = registeredErrors[facing.meta.id]?.error
      registeredErrors[facing.meta.id] = undefined
      if (thrown) return { ...explain(thrown, { settings: this.settings, raw }), batch_request_idx: facing.batch_request_idx }
    }
    return { ...error, user_facing_error: { ...facing, meta: facing.meta ?? {} } }
  }

  /** Sixteen digits: the engine takes letters for wrong, although it speaks of hexadecimal. */
  #requestId() {
    this.#requests += 1
    return String(this.#requests).padStart(16, '0')
  }
}

/** The database or the engine said no; `reply` is what the client is told. */
class Refusal extends Error {
  constructor(reply) {
    super(reply.error)
    this.reply = reply
  }
}
