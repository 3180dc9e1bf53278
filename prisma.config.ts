// How the Prisma CLI reaches PostgreSQL here: through its WASM schema engine and adapter-pg, because
// the native engines are downloads from outside the package registries.
//
// `etf-backtest` runs the CLI with all it needs in the environment (etf_backtest/database/prisma_cli).
// From the environment this file takes the URL alone, and only when a command connects: `generate`,
// `validate` and `format` do without. It is in ETF_BACKTEST_PRISMA_URL, because the CLI hands on
// what schema.prisma takes for the URL, which is therefore without a password. The URL is read by
// the same code as the query engine's. What works around a fault of Prisma 6.19.3 says which.
import { PrismaPg } from '@prisma/adapter-pg'
import { defineConfig } from 'prisma/config'

import { readCatalogTypes } from './etf_backtest/database/engine/js/catalog_types.mjs'
import { connectionSettings, decideTls } from './etf_backtest/database/engine/js/connection_url.mjs'

const INSUFFICIENT_PRIVILEGE = '42501'
const MAY_NOT_CREATE_DATABASES =
  'Migrations are compared in a temporary database, which this role may not create: ' +
  'ALTER ROLE ... CREATEDB, or use a server of your own for development'

// Fault: the WASM engine sets a timer (10 s, for its advisory lock) and never clears it, so that the
// CLI would sit there after its last word. Timers that WASM sets do not keep Node alive.
const { setTimeout } = globalThis
globalThis.setTimeout = Object.assign((...timer: Parameters<typeof setTimeout>) => {
  const timeout = setTimeout(...timer)
  if (new Error().stack?.includes('wasm:')) timeout.unref()
  return timeout
}, setTimeout)

/** What is wrong with adapter-pg's connections and transactions, put right on one of them. */
function corrected(queryable: any): any {
  // Fault: catalogue types ("char", name, ...) are refused, and introspection is full of them.
  readCatalogTypes(queryable)
  // Fault: scripts are split at every `;`, which breaks $$ bodies. PostgreSQL takes a script whole,
  // and then all of it or nothing.
  if (queryable.executeScript) {
    queryable.executeScript = (script: string) =>
      queryable.client.query(script).then(() => undefined, (error: unknown) => queryable.onError(error))
  }
  if (queryable.startTransaction) {
    const start = queryable.startTransaction.bind(queryable)
    queryable.startTransaction = async (...how: unknown[]) => corrected(await start(...how))
  }
  return queryable
}

class SchemaAdapter extends PrismaPg {
  readonly settings: Record<string, any>

  constructor(settings: Record<string, any>) {
    // Fault: given a connectionString, pg ignores the shadow database's name, and migrations would be
    // tried on the real database. Settings field by field have no connectionString.
    // allowExitOnIdle: connections that the CLI forgets to close do not keep Node alive.
    const pool = { ...settings, allowExitOnIdle: true }
    super(pool, settings.schema === undefined ? undefined : { schema: settings.schema })
    this.settings = pool
  }

  override async connect(): Promise<any> {
    return corrected(await super.connect())
  }

  // A database beside the real one, in which migrations are replayed to compare them with the schema.
  // Fault: Prisma's own drops it while still connected to it, which fails, and leaves the connection
  // to the real database open.
  override async connectToShadowDb(): Promise<any> {
    const real: any = await this.connect()
    const database = `prisma_migrate_shadow_db_${crypto.randomUUID()}`
    let dropped: Promise<void> | undefined
    const drop = () => (dropped ??= real
      .executeScript(`DROP DATABASE IF EXISTS "${database}" WITH (FORCE)`)
      .finally(() => real.dispose()))
    try {
      // template0: nothing that somebody put into template1 can differ from the migrations
      await real.client.query(`CREATE DATABASE "${database}" TEMPLATE template0`)
    } catch (error: any) {
      await real.dispose()
      const refused = error.code === INSUFFICIENT_PRIVILEGE
      return real.onError(refused ? Object.assign(error, { message: MAY_NOT_CREATE_DATABASES }) : error)
    }
    try {
      const shadow: any = await new SchemaAdapter({ ...this.settings, database }).connect()
      const { rows: [{ name }] } = await shadow.client.query('SELECT current_database() AS name')
      if (name !== database) throw new Error(`Expected to be in ${database}, not in ${name}`)
      const close = shadow.dispose.bind(shadow)
      shadow.dispose = () => close().finally(drop)
      // Ctrl-C, too, leaves nothing behind
      const leave = (_: string, signal: number) => drop().finally(() => process.exit(128 + signal))
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, leave)
      return shadow
    } catch (error) {
      await drop()
      throw error
    }
  }
}

export default defineConfig({
  experimental: { adapter: true },
  engine: 'js',
  schema: 'prisma/schema.prisma',
  // the interpreter that runs `etf-backtest` comes first in PATH
  migrations: { path: 'prisma/migrations', seed: 'python3 prisma/seed.py' },
  adapter: async () => {
    const url = process.env.ETF_BACKTEST_PRISMA_URL ?? process.env.DATABASE_URL
    if (!url) throw new Error('DATABASE_URL is not set: run the Prisma CLI through etf-backtest')
    return new SchemaAdapter(await decideTls(connectionSettings(url)))
  },
})
