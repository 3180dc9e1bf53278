// The connection pool: pg's, with its one timeout split into the two waits that a URL can name, and
// with connections that can be taken before the engine asks for them.
import { connect } from 'node:net'
import pg from 'pg'

const IDLE_TIMEOUT = 300_000
const CANCEL_WITHIN = 1000

class Client extends pg.Client {
  /** A CancelRequest is on its way, or was: it may strike whatever this connection runs next. */
  cancelled = false
  /** A setting was changed for the rest of the session (`SET` as a raw query). */
  altered = false
  #settings = {}
  #ours
  #startup

  constructor(settings) {
    // pg-pool hides the password from enumeration: a spread alone loses it
    super({ ...settings, password: settings.password, connectionTimeoutMillis: settings.connectTimeoutMillis })
    this.#startup = settings.startup
    // a connection that breaks while it is held fails its next query; an event nobody hears ends Node
    this.on('error', () => {})
    // the server reports every change of TimeZone, DateStyle and a few more, however it came about
    this.connection.on('parameterStatus', ({ parameterName, parameterValue }) => {
      this.#settings[parameterName] = parameterValue
    })
    this.once('connect', () => { this.#ours = { ...this.#settings } })
  }

  getStartupConf() {
    return { ...super.getStartupConf(), ...this.#startup }
  }

  /** Whether the session has begun as it was asked to: a pooler may drop what it does not know. */
  get startedAsAsked() {
    return this.#ours.TimeZone === 'UTC' && this.#ours.DateStyle?.startsWith('ISO')
  }

  /** Whether the next user may have this connection: nothing of the last one is left on it. */
  get reusable() {
    // somebody may have left it in a transaction (`BEGIN` as a raw query)
    const unaltered = Object.keys(this.#ours).every((name) => this.#settings[name] === this.#ours[name])
    return unaltered && !this.altered && !this.cancelled && this.getTransactionStatus() === 'I'
  }

  /** Whether times mean to this session what they mean to the engine: UTC, in ISO form. */
  get tellsOurTime() {
    return ['TimeZone', 'DateStyle'].every((name) => this.#settings[name] === this.#ours[name])
  }
}

/** Waiting for a free connection took longer than `pool_timeout` (or a transaction's `max_wait`). */
export class PoolTimeoutError extends Error {
  name = 'PoolTimeoutError'
}

/** A session whose TimeZone or DateStyle was changed has times in a query: they would be wrong. */
export class ForeignTimeError extends Error {
  name = 'ForeignTimeError'
  constructor() {
    super(
      'TimeZone or DateStyle of this transaction was changed by a raw query: dates and times cannot be ' +
      "passed or read here, they would be wrong. Convert them in SQL instead (AT TIME ZONE '...', to_char)")
  }
}

/** The session's settings have not arrived: its times would be wrong. */
export class SettingsDroppedError extends Error {
  name = 'SettingsDroppedError'
  constructor() {
    super('it does not take the settings of a session')
  }
}

export class ConnectionPool extends pg.Pool {
  #reserved
  #held = new Set()

  constructor(settings) {
    super({ ...settings, Client, keepAlive: true, idleTimeoutMillis: IDLE_TIMEOUT })
    // pg-pool drops a connection that breaks while idle; without a listener Node would exit
    this.on('error', () => {})
    this.connectionsOpened = 0
    this.connectionsClosed = 0
    this.on('connect', () => { this.connectionsOpened += 1 })
    this.on('remove', () => { this.connectionsClosed += 1 })
    this.on('acquire', (client) => this.#held.add(client))
    this.on('release', (_, client) => this.#held.delete(client))
  }

  /** Take a connection within `maxWait` milliseconds. */
  async connectWithin(maxWait) {
    let late = false
    let timer
    const connection = this.connect()
    const deadline = new Promise((_, reject) => {
      timer = setTimeout(() => {
        late = true
        reject(new PoolTimeoutError(`Unable to start a transaction in the given time: no connection was free within ${maxWait} ms`))
      }, maxWait)
    })
    connection.then((client) => late && client.release(), () => {})
    try {
      return await Promise.race([connection, deadline])
    } finally {
      clearTimeout(timer)
    }
  }

  /** Lay a connection aside for the transaction that the engine is about to begin. */
  reserve(client) {
    this.#reserved = client
  }

  takeReserved() {
    const client = this.#reserved
    this.#reserved = undefined
    return client
  }

  /** Stop every statement that is running. */
  cancelAll() {
    for (const client of this.#held) this.cancel(client)
  }

  /**
   * Ask the server to stop the statement that `client` is running, if any (a CancelRequest). Afterwards
   * the connection is not `reusable`.
   *
   * @returns {Promise<void>} resolves once the server has passed the request on, or does not answer
   */
  cancel(client) {
    if (!client._getActiveQuery()) return Promise.resolve()
    client.cancelled = true
    const { host, port } = this.options
    const message = Buffer.alloc(16)
    message.writeInt32BE(16, 0)
    message.writeInt32BE(80877102, 4)
    message.writeInt32BE(client.processID, 8)
    message.writeInt32BE(client.secretKey, 12)
    return new Promise((resolve) => {
      const socket = connect(host.startsWith('/') ? { path: `${host}/.s.PGSQL.${port}` } : { host, port })
      socket.setTimeout(CANCEL_WITHIN, () => socket.destroy())
      socket.on('error', () => {})
      // the server answers nothing: it closes when it is done
      socket.on('close', () => resolve())
      socket.on('connect', () => socket.end(message))
      socket.resume()
    })
  }
}
