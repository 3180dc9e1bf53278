// Stands where the Prisma CLI expects a native engine, so that it downloads none. The CLI looks
// that the file is there; what it does goes through WASM (see prisma.config.ts).
const commit = 'c2990dca591cba766e3b7ef5d9e8a84796e47ab7'
exports.version = () => ({ commit, version: commit })
