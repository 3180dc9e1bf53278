-- Thousands of rows in every table but market_data, for the planner to have something to weigh.

CREATE FUNCTION pg_temp.key(kind INT, n BIGINT) RETURNS UUID LANGUAGE sql AS
$$ SELECT format('00000000-0000-4000-800%s-%s', kind, lpad(n::text, 12, '0'))::uuid $$;

INSERT INTO users (id, email, password_hash)
SELECT pg_temp.key(1, n), 'User' || n || '@example.org', 'hash'
FROM generate_series(1, 3000) AS n;

INSERT INTO portfolios (id, user_id, name)
SELECT pg_temp.key(2, n), pg_temp.key(1, 1 + n % 3000), 'portfolio ' || n
FROM generate_series(1, 9000) AS n;

INSERT INTO portfolio_holdings (portfolio_id, symbol, allocation)
SELECT pg_temp.key(2, n), 'S' || lpad((100 * i + n % 97)::text, 4, '0'), 0.2
FROM generate_series(1, 9000) AS n, generate_series(0, 4) AS i;

INSERT INTO strategies (name, type, is_system)
SELECT 'system ' || n, 'buy_and_hold', true
FROM generate_series(1, 5) AS n;

INSERT INTO strategies (id, user_id, name, type, parameters)
SELECT
    pg_temp.key(3, n), pg_temp.key(1, n), 'mine',
    CASE WHEN n % 50 = 0 THEN 'momentum' ELSE 'buy_and_hold' END::strategy_type,
    jsonb_build_object('lookback', n % 500)
FROM generate_series(1, 3000) AS n;

-- nearly all are done, as they will be; the first user has more than anybody else
INSERT INTO backtests (
    id, user_id, portfolio_id, strategy_id, name, start_date, end_date, initial_capital,
    status, results, error_message, created_at
)
SELECT
    pg_temp.key(4, n),
    pg_temp.key(1, CASE WHEN n % 10 = 0 THEN 1 ELSE 1 + n % 3000 END),
    pg_temp.key(2, 1 + n % 9000),
    pg_temp.key(3, 1 + n % 3000),
    'backtest ' || n, '2014-01-02', '2022-12-28', 10000, status,
    CASE status WHEN 'completed' THEN
        jsonb_build_object('engine', jsonb_build_object('run', n), 'equity', '[1, 2]'::jsonb)
    END,
    CASE status WHEN 'failed' THEN 'no prices' END,
    now() - n * interval '1 minute'
FROM
    generate_series(1, 20000) AS n,
    LATERAL (
        SELECT CASE n % 200 WHEN 0 THEN 'pending' WHEN 1 THEN 'failed' ELSE 'completed' END
            ::backtest_status AS status
    ) AS chosen;

INSERT INTO performance_metrics (backtest_id, window_start, window_end, sessions)
SELECT id, start_date, end_date, 2262 FROM backtests WHERE status = 'completed';

INSERT INTO etf_info (symbol, name, category, sector)
SELECT 'E' || lpad(n::text, 4, '0'), 'ETF', 'Category ' || n % 100, 'Sector ' || n % 60
FROM generate_series(1, 3000) AS n;

INSERT INTO etf_facts (symbol, valid_from, expense_ratio)
SELECT symbol, day, 0.001 FROM etf_info,
    unnest(ARRAY['2010-01-01', '2015-01-01', '2020-01-01']::date[]) AS day;

INSERT INTO etf_proxies (symbol, proxy_symbol, splice_date, overlap_sessions, revision)
SELECT 'P' || lpad(n::text, 4, '0'), 'E' || lpad(n::text, 4, '0'), '2010-01-01', 0, 1
FROM generate_series(1, 3000) AS n;

-- a second revision changes a session in ten; others, as years of daily imports leave behind
UPDATE market_data SET close = close + 1 WHERE volume % 10 = 0;
INSERT INTO price_revisions (number, known_at)
SELECT 100 + n, timestamptz '2020-01-01 22:00+00' + n * interval '1 hour'
FROM generate_series(1, 5000) AS n;
INSERT INTO price_series (symbol, revision)
SELECT 'E' || lpad(n::text, 4, '0'), 100 + n FROM generate_series(1, 3000) AS n;
INSERT INTO packed_prices (
    symbol, revision, layout, sessions, dates, closes, adjusted_closes, dividends, splits,
    split_adjusted, sources
)
SELECT 'S' || lpad(n::text, 4, '0'), 1, 1, 1, '\x00000001', '\x4059000000000000',
    '\x7ff8000000000000', '', '', 'f', '[]'
FROM generate_series(1, 3000) AS n;
