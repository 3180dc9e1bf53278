// Entry point of the child process. Standard input is a socket: requests come in on it and replies go
// out on it; whatever else is printed goes to standard error. End of input means that the parent is
// gone or wants no more: roll back and exit.
import { Socket } from 'node:net'
import { Operation, readRequests, Status, writeReply } from './frames.mjs'
import { EngineService } from './service.mjs'

const STOP_WITHIN = 1500
const WATCH_PARENT_EVERY = 1000

const stream = new Socket({ fd: 0, readable: true, writable: true })
let service
let stopping = false

async function run({ operation, transaction, payload }) {
  switch (operation) {
    case Operation.query: return service.query(payload, transaction)
    case Operation.start: return service.start(payload)
    case Operation.commit: return service.commit(transaction)
    case Operation.rollback: return service.rollback(transaction)
    case Operation.metrics: return service.measure(payload)
    case Operation.connect:
      service = await EngineService.connect(JSON.parse(payload), (event) =>
        writeReply(stream, 0, Status.event, JSON.stringify(event, (_, value) => (typeof value === 'bigint' ? String(value) : value))))
      return '{}'
    default: throw new Error(`unknown operation ${operation}`)
  }
}

async function answer(request) {
  try {
    writeReply(stream, request.id, Status.ok, await run(request))
  } catch (error) {
    // the engine's memory is not to be trusted after a panic: the parent starts another process
    if (error instanceof WebAssembly.RuntimeError) throw error
    writeReply(stream, request.id, Status.error, JSON.stringify(errorsOf(error)))
  }
}

function errorsOf(error) {
  const errors = error.reply ? [error.reply] : service?.errorsOf(error)
  return errors ?? [{ error: String(error), user_facing_error: { is_panic: false, message: String(error.message ?? error), meta: {} } }]
}

async function stop() {
  if (stopping) return
  stopping = true
  setTimeout(() => process.exit(0), STOP_WITHIN)
  try {
    await service?.stop()
  } finally {
    process.exit(0)
  }
}

readRequests(stream, answer)
stream.on('end', stop)
stream.on('close', stop)
stream.on('error', stop)
// a forked sibling may hold the parent's end open after the parent was killed
const parent = process.ppid
setInterval(() => process.ppid === parent || stop(), WATCH_PARENT_EVERY).unref()
