// Names for prepared statements: PostgreSQL then parses and plans a repeated query once a connection.

const MOST = 256
const LONGEST = 8192

export class StatementNames {
  #names = new Map()
  #seenOnce = new Set()
  #next = 0

  /** A name from the second time on, so that one-off statements leave nothing behind in the server. */
  of(text) {
    const name = this.#names.get(text)
    if (name !== undefined || text.length > LONGEST || this.#names.size >= MOST) return name
    if (this.#seenOnce.delete(text)) {
      const given = `prisma_${this.#next++}`
      this.#names.set(text, given)
      return given
    }
    if (this.#seenOnce.size >= 4 * MOST) this.#seenOnce.clear()
    this.#seenOnce.add(text)
    return undefined
  }

  /** The plan of `text` is no longer valid (a migration changed its tables): name it anew. */
  forget(text) {
    this.#names.delete(text)
  }
}

/** Errors that a named statement has and an unnamed one would not have. */
export function isStale({ code, message }) {
  return code === '26000' || (code === '0A000' && message === 'cached plan must not change result type')
}
