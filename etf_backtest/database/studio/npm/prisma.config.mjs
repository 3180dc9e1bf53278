// Everything about the database reaches Studio's driver through PG* variables that gate.mjs sets
// inside its own process, so the address that Prisma sees (and may print) holds no secret.
export default { datasource: { url: process.env.ETF_BACKTEST_STUDIO_URL } }
