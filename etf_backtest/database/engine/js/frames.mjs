// Length-prefixed frames, many requests at once, over one stream. Numbers are big-endian.
//
//   request   u32 length of the rest | u32 id | u8 operation | u8 n | n bytes transaction id | payload
//   reply     u32 length of the rest | u32 id | u8 status    | payload      (id 0: a query log event)

export const Operation = Object.freeze({ connect: 0, query: 1, start: 2, commit: 3, rollback: 4, metrics: 5 })
export const Status = Object.freeze({ ok: 0, error: 1, event: 2 })

const HEADER = 9

/** Call `receive({id, operation, transaction, payload})` for every request that `stream` brings. */
export function readRequests(stream, receive) {
  let chunks = []
  let held = 0
  let needed = 4
  stream.on('data', (chunk) => {
    chunks.push(chunk)
    held += chunk.length
    if (held < needed) return
    let buffer = chunks.length === 1 ? chunk : Buffer.concat(chunks, held)
    while (buffer.length >= 4) {
      const end = 4 + buffer.readUInt32BE(0)
      if (buffer.length < end) break
      receive(request(buffer.subarray(4, end)))
      buffer = buffer.subarray(end)
    }
    chunks = [buffer]
    held = buffer.length
    needed = held < 4 ? 4 : 4 + buffer.readUInt32BE(0)
  })
}

function request(frame) {
  const payload = 6 + frame[5]
  return {
    id: frame.readUInt32BE(0),
    operation: frame[4],
    transaction: frame.latin1Slice(6, payload),
    payload: frame.utf8Slice(payload),
  }
}

/** Send the reply to request `id`; `payload` is text. */
export function writeReply(stream, id, status, payload) {
  const size = Buffer.byteLength(payload)
  const frame = Buffer.allocUnsafe(HEADER + size)
  frame.writeUInt32BE(HEADER - 4 + size, 0)
  frame.writeUInt32BE(id, 4)
  frame[8] = status
  frame.utf8Write(payload, HEADER)
  stream.write(frame)
}
