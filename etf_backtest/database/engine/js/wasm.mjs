// The official Prisma query engine, compiled to WebAssembly, as @prisma/client carries it.
import * as bindings from '@prisma/client/runtime/query_engine_bg.postgresql.mjs'
import { wasm } from '@prisma/client/runtime/query_engine_bg.postgresql.wasm-base64.mjs'

/** @returns a QueryEngine that runs `datamodel` (the text of schema.prisma) on `adapter` */
export function createEngine(datamodel, adapter, log) {
  const module = new WebAssembly.Module(Buffer.from(wasm, 'base64'))
  const { exports } = new WebAssembly.Instance(module, { './query_engine_bg.js': bindings })
  bindings.__wbg_set_wasm(exports)
  exports.__wbindgen_start()
  const options = {
    datamodel,
    env: {},
    logQueries: false,
    logLevel: 'error',
    ignoreEnvVarErrors: true,
    datasourceOverrides: {},
    configDir: '.',
    engineProtocol: 'json',
    enableTracing: false,
  }
  return new bindings.QueryEngine(options, log, adapter)
}
