// What `get_metrics()` tells. The WASM engine counts nothing, so it is counted here, under the names
// and with the buckets that Prisma's own engines use.

const BUCKETS = [0, 1, 5, 10, 50, 100, 500, 1000, 5000, 50000]

class Histogram {
  sum = 0
  count = 0
  counts = BUCKETS.map(() => 0)

  add(value) {
    this.sum += value
    this.count += 1
    const bucket = BUCKETS.findIndex((most) => value <= most)
    if (bucket >= 0) this.counts[bucket] += 1
  }

  get value() {
    return { sum: this.sum, count: this.count, buckets: BUCKETS.map((most, i) => [most, this.counts[i]]) }
  }
}

export class Metrics {
  #queries = 0
  #active = 0
  #statements = 0
  #duration = new Histogram()
  #statementDuration = new Histogram()
  #wait = new Histogram()

  constructor(pool) {
    this.pool = pool
  }

  /** Count a query of the client; call what is returned when it has been answered. */
  begin() {
    const started = performance.now()
    this.#queries += 1
    this.#active += 1
    return () => {
      this.#active -= 1
      this.#duration.add(performance.now() - started)
    }
  }

  statement(milliseconds) {
    this.#statements += 1
    this.#statementDuration.add(milliseconds)
  }

  waited(milliseconds) {
    this.#wait.add(milliseconds)
  }

  json(labels = {}) {
    const { totalCount, idleCount, waitingCount, connectionsOpened, connectionsClosed } = this.pool
    const metric = (key, value, description) => ({ key, value, labels, description })
    return {
      counters: [
        metric('prisma_client_queries_total', this.#queries, 'The total number of Prisma Client queries executed'),
        metric('prisma_datasource_queries_total', this.#statements, 'The total number of datasource queries executed'),
        metric('prisma_pool_connections_closed_total', connectionsClosed, 'The total number of pool connections closed'),
        metric('prisma_pool_connections_opened_total', connectionsOpened, 'The total number of pool connections opened'),
      ],
      gauges: [
        metric('prisma_client_queries_active', this.#active, 'The number of currently active Prisma Client queries'),
        metric('prisma_client_queries_wait', waitingCount, 'The number of datasource queries currently waiting for a free connection'),
        metric('prisma_pool_connections_busy', totalCount - idleCount, 'The number of pool connections currently executing datasource queries'),
        metric('prisma_pool_connections_idle', idleCount, 'The number of pool connections that are not busy running a query'),
        metric('prisma_pool_connections_open', totalCount, 'The number of pool connections currently open'),
      ],
      histograms: [
        metric('prisma_client_queries_duration_histogram_ms', this.#duration.value, 'The distribution of the time Prisma Client queries took to run end to end'),
        metric('prisma_client_queries_wait_histogram_ms', this.#wait.value, 'The distribution of the time all datasource queries spent waiting for a free connection'),
        metric('prisma_datasource_queries_duration_histogram_ms', this.#statementDuration.value, 'The distribution of the time datasource queries took to run'),
      ],
    }
  }

  prometheus(labels = {}) {
    const { counters, gauges, histograms } = this.json(labels)
    return [
      ...counters.map((metric) => simple(metric, 'counter')),
      ...gauges.map((metric) => simple(metric, 'gauge')),
      ...histograms.map(histogram),
    ].join('\n\n') + '\n'
  }
}

function heading({ key, description }, type) {
  return `# HELP ${key} ${description}\n# TYPE ${key} ${type}\n`
}

function labelled(labels) {
  const escaped = (text) => String(text).replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n')
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`)
  return pairs.length ? `{${pairs.join(',')}}` : ''
}

function simple(metric, type) {
  return `${heading(metric, type)}${metric.key}${labelled(metric.labels)} ${metric.value}`
}

/** Prometheus' buckets are cumulative; the JSON format's are not. */
function histogram(metric) {
  const { key, labels, value } = metric
  let seen = 0
  const buckets = value.buckets.map(([most, count]) => {
    seen += count
    return `${key}_bucket${labelled({ ...labels, le: most })} ${seen}`
  })
  buckets.push(`${key}_bucket${labelled({ ...labels, le: '+Inf' })} ${value.count}`)
  return `${heading(metric, 'histogram')}${buckets.join('\n')}\n${key}_sum${labelled(labels)} ${value.sum}\n${key}_count${labelled(labels)} ${value.count}`
}
