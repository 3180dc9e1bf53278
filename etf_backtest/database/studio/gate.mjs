// Runs Prisma Studio inside this process and stands between it and every browser.
//
// Studio serves whoever reaches its port, and its /bff runs any SQL. So its server is never allowed
// to listen: the `listen` it calls is caught, and the requests that pass the checks below are handed
// to it directly. There is one port, on loopback, and nothing behind it to reach another way.
//
// Speaks with its parent by pipes: a line of JSON on stdin says what to do, a line of JSON on stdout
// says how that went, and the end of stdin (the parent stopped or was killed) ends the process.

import { createHash, timingSafeEqual } from 'node:crypto'
import fs from 'node:fs'
import http from 'node:http'
import module from 'node:module'
import net from 'node:net'
import path from 'node:path'
import process from 'node:process'
import tls from 'node:tls'

const LOOPBACK = '127.0.0.1'
const CONNECT_TIMEOUT_SECONDS = 10

// The one inline script of Studio's page; a version of Studio with another one needs another hash.
const INLINE_SCRIPT = 'window.__STUDIO_CONFIG__ = {"adapter":"postgres"};'

const HEADERS = {
  'Content-Security-Policy': [
    "default-src 'none'",
    `script-src 'self' 'sha256-${createHash('sha256').update(INLINE_SCRIPT).digest('base64')}'`,
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "font-src 'self' data:",
    // keeps the page from asking Prisma's servers for updates
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'Cache-Control': 'no-store',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
}

function tell(message) {
  fs.writeSync(1, `${JSON.stringify(message)}\n`)
}

function fail(reason, error) {
  tell({ error: reason, code: error.code ?? null, message: error.message })
  process.exit(1)
}

/** The first line of stdin; its end, then or later, is the end of the parent. */
function readSettings() {
  return new Promise((resolve) => {
    let text = ''
    process.stdin.setEncoding('utf8')
    process.stdin.on('data', (chunk) => {
      text += chunk
      if (text.includes('\n')) resolve(JSON.parse(text.slice(0, text.indexOf('\n'))))
    })
    process.stdin.on('end', () => process.exit(0))
    process.stdin.on('error', () => process.exit(0))
  })
}

/** Set what the driver reads, here and not at exec, where `ps` would show it. */
function enterDatabase({ environment, url, certificates }) {
  for (const name of Object.keys(process.env)) {
    if (name.startsWith('PG')) delete process.env[name]
  }
  Object.assign(process.env, environment, {
    ETF_BACKTEST_STUDIO_URL: url,
    CHECKPOINT_DISABLE: '1',
  })
  if (certificates !== null) {
    try {
      tls.setDefaultCACertificates([fs.readFileSync(certificates, 'utf8')])
    } catch (error) {
      fail('database', error)
    }
  }
}

/** Studio connects at the first query, far from whoever could tell a wrong password. */
async function checkDatabase(requireInstalled, url) {
  const { default: postgres } = await import(requireInstalled.resolve('postgres'))
  try {
    const sql = postgres(url, { max: 1, connect_timeout: CONNECT_TIMEOUT_SECONDS })
    await sql`select 1`
    await sql.end()
  } catch (error) {
    fail('database', error)
  }
}

/** Resolves to the server that Studio makes, which believes that it listens. */
function catchStudioServer() {
  return new Promise((resolve) => {
    net.Server.prototype.listen = function (...parameters) {
      if (!(this instanceof http.Server)) throw new Error('only Studio itself may listen')
      const callback = parameters.findLast((parameter) => typeof parameter === 'function')
      queueMicrotask(() => {
        resolve(this)
        callback?.()
      })
      return this
    }
  })
}

function startStudio(requireInstalled, { directory, port }) {
  const cli = requireInstalled.resolve('prisma/build/index.js')
  const config = path.join(directory, 'prisma.config.mjs')
  const options = ['--browser', 'none', '--port', String(port), '--config', config]
  process.argv = [process.execPath, cli, 'studio', ...options]
  requireInstalled(cli)
}

function equal(given, expected) {
  const digest = (text) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given ?? ''), digest(expected))
}

class Gate {
  #cookie
  #hosts
  #token
  #once
  #studio

  constructor({ token, once }, port, studio) {
    // cookies do not know ports: the name keeps two Studios apart
    this.#cookie = `etf_backtest_studio_${port}`
    this.#hosts = new Set([`${LOOPBACK}:${port}`, `localhost:${port}`])
    this.#token = token
    this.#once = once
    this.#studio = studio
  }

  async answer(request, response) {
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value)
    const refusal = this.#refuseOrigin(request)
    if (refusal !== null) return this.#refuse(response, 403, refusal)
    const { pathname, searchParams } = new URL(request.url, `http://${LOOPBACK}`)
    if (request.method === 'GET' && pathname === '/' && searchParams.has('token')) {
      return this.#enter(response, searchParams.get('token'))
    }
    if (!this.#isKnown(request)) {
      return this.#refuse(response, 401, 'open the address that etf-backtest studio printed')
    }
    if (request.method === 'POST' && pathname === '/telemetry') {
      response.writeHead(204).end()
      return
    }
    ;(await this.#studio).emit('request', request, response)
  }

  /** DNS rebinding shows in Host, other pages' requests in Origin. */
  #refuseOrigin(request) {
    const { host, origin } = request.headers
    if (!this.#hosts.has(host)) return 'wrong Host'
    if (!/^\/(?!\/)/.test(request.url)) return 'wrong address'
    const reads = request.method === 'GET' || request.method === 'HEAD'
    if (reads ? origin !== undefined && origin !== `http://${host}` : origin !== `http://${host}`) {
      return 'wrong Origin'
    }
    return null
  }

  #isKnown(request) {
    const cookies = (request.headers.cookie ?? '').split(';').map((pair) => pair.trim())
    const mine = cookies.find((pair) => pair.startsWith(`${this.#cookie}=`))
    return mine !== undefined && equal(mine.slice(this.#cookie.length + 1), this.#token)
  }

  #enter(response, token) {
    const first = this.#once !== null && equal(token, this.#once)
    if (first) this.#once = null
    if (!first && !equal(token, this.#token)) return this.#refuse(response, 401, 'wrong token')
    // A page that goes on by itself and not a 303: after a click on another site's page (a terminal
    // in the browser) a redirect would arrive without the cookie, because that is SameSite=Strict.
    response
      .writeHead(200, {
        'Content-Type': 'text/html; charset=utf-8',
        'Set-Cookie': `${this.#cookie}=${this.#token}; HttpOnly; SameSite=Strict; Path=/`,
      })
      .end('<!doctype html><title>Prisma Studio</title><meta http-equiv="refresh" content="0;url=/">')
  }

  #refuse(response, status, reason) {
    response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8' }).end(`${reason}\n`)
  }
}

function listen(settings, studio) {
  return new Promise((resolve) => {
    let gate
    const server = http.createServer((request, response) => {
      gate.answer(request, response).catch((error) => {
        console.error(error)
        response.destroy()
      })
    })
    server.once('error', (error) => fail('port', error))
    net.Server.prototype.listen.call(server, settings.port, LOOPBACK, () => {
      gate = new Gate(settings, server.address().port, studio)
      resolve(server.address().port)
    })
  })
}

// stdout belongs to the parent's protocol
process.stdout.write = process.stderr.write.bind(process.stderr)
process.on('SIGTERM', () => process.exit(0))

const settings = await readSettings()
const requireInstalled = module.createRequire(path.join(settings.directory, 'package.json'))
module.enableCompileCache(path.join(settings.directory, 'compile-cache'))
enterDatabase(settings.database)

const studio = Promise.withResolvers()
const port = await listen(settings, studio.promise)
await checkDatabase(requireInstalled, settings.database.url)
const caught = catchStudioServer()
startStudio(requireInstalled, { directory: settings.directory, port })
studio.resolve(await caught)
tell({ port })
