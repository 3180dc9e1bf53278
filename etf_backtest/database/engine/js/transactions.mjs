// Interactive transactions. The engine dies on an id that it does not know and lets a statement run
// past the transaction's timeout, so this table decides which ids live, and for how long.
import { ON_RESERVED_CONNECTION } from './adapter.mjs'
import { userFacing } from './driver_errors.mjs'

const CLOSED_KEPT = 1000
const DAY = 86_400_000

/** The id is unknown or the transaction is over; `reply` is what the client is told. */
export class TransactionClosedError extends Error {
  constructor(message) {
    super(message)
    this.reply = userFacing('P2028', `Transaction API error: ${message}`, { error: message }, message)
  }
}

export class Transactions {
  #open = new Map()
  #closed = new Map()
  #turn = Promise.resolve()

  /** @param call runs one method of the engine: call(name, ...arguments) -> parsed reply */
  constructor(pool, call) {
    this.pool = pool
    this.call = call
  }

  /** @returns the engine's reply: {id} */
  async start({ max_wait: maxWait, timeout }) {
    const connection = await this.pool.connectWithin(maxWait)
    // one at a time, so that each begins on its own connection
    const started = this.#turn.then(() => this.#begin(connection, timeout))
    this.#turn = started.catch(() => {})
    return started
  }

  async #begin(connection, timeout) {
    this.pool.reserve(connection)
    try {
      const options = { max_wait: DAY, timeout: DAY, isolation_level: ON_RESERVED_CONNECTION }
      const reply = await this.call('startTransaction', JSON.stringify(options))
      // nobody waits for the end of it; the engine has logged what went wrong
      const timer = setTimeout(() => this.#expire(reply.id).catch(() => {}), timeout)
      this.#open.set(reply.id, { connection, timeout, startedAt: Date.now(), timer })
      return reply
    } finally {
      this.pool.takeReserved()?.release()
    }
  }

  /** @throws TransactionClosedError unless `id` is open */
  check(id) {
    if (this.#open.has(id)) return
    const closed = this.#closed.get(id)
    if (closed === undefined) {
      throw new TransactionClosedError(
        `Transaction not found. Transaction ID is invalid, refers to an old closed transaction, or was started on an engine that has stopped: ${id}`)
    }
    throw new TransactionClosedError(`Transaction already closed: ${closed()}`)
  }

  commit(id) {
    return this.#end(id, 'commitTransaction', 'a committed')
  }

  rollback(id) {
    return this.#end(id, 'rollbackTransaction', 'a rolled back')
  }

  async rollbackAll() {
    await Promise.allSettled([...this.#open.keys()].map((id) => this.rollback(id)))
  }

  #end(id, method, how) {
    this.check(id)
    this.#close(id, () => `A query cannot be executed on ${how} transaction.`)
    return this.call(method, id)
  }

  #close(id, reason) {
    clearTimeout(this.#open.get(id).timer)
    this.#open.delete(id)
    this.#closed.set(id, reason)
    if (this.#closed.size > CLOSED_KEPT) this.#closed.delete(this.#closed.keys().next().value)
  }

  async #expire(id) {
    const { connection, timeout, startedAt } = this.#open.get(id)
    this.#close(id, () =>
      `A query cannot be executed on an expired transaction. The timeout for this transaction was ${timeout} ms, ` +
      `however ${Date.now() - startedAt} ms passed since the start of the transaction. Consider increasing the ` +
      'interactive transaction timeout or doing less work in the transaction.')
    // or it would strike the rollback, or whoever has the connection after that
    await this.pool.cancel(connection)
    await this.call('rollbackTransaction', id)
  }
}
