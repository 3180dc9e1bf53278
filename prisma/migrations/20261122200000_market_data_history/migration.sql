-- Part 1: what triggers and imports ask.

-- The number of the revision that this transaction writes; see part 3.
CREATE FUNCTION "current_price_revision"() RETURNS BIGINT LANGUAGE sql STABLE
    AS $$SELECT nullif(pg_catalog.current_setting('etf_backtest.price_revision', true), '')::bigint$$;


-- Part 2: as Prisma derives it from schema.prisma.

-- CreateEnum
CREATE TYPE "etf_status" AS ENUM ('active', 'delisted');

-- AlterTable
ALTER TABLE "backtests" ADD COLUMN     "data_revision" BIGINT;

-- AlterTable
ALTER TABLE "etf_info" ADD COLUMN     "delisted_date" DATE,
ADD COLUMN     "last_price" DECIMAL(10,4),
ADD COLUMN     "last_price_date" DATE,
ADD COLUMN     "source" VARCHAR(255),
ADD COLUMN     "status" "etf_status" NOT NULL DEFAULT 'active';

-- AlterTable
-- What is stored already belongs to revision 1, and its closes were as traded: no other could be
-- imported. Both are defaults of the moment, for which PostgreSQL does not rewrite the table.
ALTER TABLE "market_data" ADD COLUMN     "revision" BIGINT NOT NULL DEFAULT 1,
ADD COLUMN     "split_adjusted" BOOLEAN DEFAULT false;
ALTER TABLE "market_data" ALTER COLUMN "revision" SET DEFAULT (NULLIF(current_setting('etf_backtest.price_revision'::text, true), ''::text))::bigint,
ALTER COLUMN "split_adjusted" DROP DEFAULT;

-- CreateTable
CREATE TABLE "market_data_history" (
    "id" UUID NOT NULL DEFAULT gen_random_uuid(),
    "symbol" VARCHAR(20) NOT NULL,
    "date" DATE NOT NULL,
    "open" DECIMAL(10,4),
    "high" DECIMAL(10,4),
    "low" DECIMAL(10,4),
    "close" DECIMAL(10,4),
    "adjusted_close" DECIMAL(10,4),
    "volume" BIGINT,
    "dividend_amount" DECIMAL(12,6),
    "split_ratio" DECIMAL(18,12),
    "split_adjusted" BOOLEAN,
    "source" VARCHAR(50) NOT NULL,
    "valid_from" BIGINT NOT NULL,
    "valid_to" BIGINT NOT NULL,

    CONSTRAINT "market_data_history_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "price_revisions" (
    "id" UUID NOT NULL DEFAULT gen_random_uuid(),
    "number" BIGSERIAL NOT NULL,
    "known_at" TIMESTAMPTZ(6) NOT NULL,
    "source" VARCHAR(50),
    "provider" VARCHAR(50),
    "split_adjusted" BOOLEAN,
    "details" JSONB NOT NULL DEFAULT '{}',
    "inserted" BIGINT NOT NULL DEFAULT 0,
    "updated" BIGINT NOT NULL DEFAULT 0,
    "deleted" BIGINT NOT NULL DEFAULT 0,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "price_revisions_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "price_series" (
    "id" UUID NOT NULL DEFAULT gen_random_uuid(),
    "symbol" VARCHAR(20) NOT NULL,
    "revision" BIGINT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "price_series_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "packed_prices" (
    "id" UUID NOT NULL DEFAULT gen_random_uuid(),
    "symbol" VARCHAR(20) NOT NULL,
    "revision" BIGINT NOT NULL,
    "layout" INTEGER NOT NULL,
    "sessions" INTEGER NOT NULL,
    "dates" BYTEA NOT NULL,
    "closes" BYTEA NOT NULL,
    "adjusted_closes" BYTEA NOT NULL,
    "dividends" BYTEA NOT NULL,
    "splits" BYTEA NOT NULL,
    "split_adjusted" VARCHAR(3) NOT NULL,
    "sources" JSONB NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "packed_prices_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "etf_facts" (
    "id" UUID NOT NULL DEFAULT gen_random_uuid(),
    "symbol" VARCHAR(20) NOT NULL,
    "valid_from" DATE NOT NULL,
    "expense_ratio" DECIMAL(8,6),
    "assets_under_management" DECIMAL(20,2),
    "category" VARCHAR(100),
    "benchmark_index" VARCHAR(255),
    "status" "etf_status",
    "source" VARCHAR(255),
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "etf_facts_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "etf_proxies" (
    "id" UUID NOT NULL DEFAULT gen_random_uuid(),
    "symbol" VARCHAR(20) NOT NULL,
    "proxy_symbol" VARCHAR(20) NOT NULL,
    "splice_date" DATE NOT NULL,
    "annual_fee" DECIMAL(8,6) NOT NULL DEFAULT 0,
    "overlap_start" DATE,
    "overlap_end" DATE,
    "overlap_sessions" INTEGER NOT NULL,
    "tracking_error" DECIMAL(10,6),
    "correlation" DECIMAL(10,6),
    "revision" BIGINT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "etf_proxies_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "market_data_history_symbol_valid_to_idx" ON "market_data_history"("symbol", "valid_to");

-- CreateIndex
CREATE UNIQUE INDEX "price_revisions_number_key" ON "price_revisions"("number");

-- CreateIndex
CREATE INDEX "price_revisions_known_at_idx" ON "price_revisions"("known_at");

-- CreateIndex
CREATE UNIQUE INDEX "price_series_symbol_key" ON "price_series"("symbol");

-- CreateIndex
CREATE UNIQUE INDEX "packed_prices_symbol_key" ON "packed_prices"("symbol");

-- CreateIndex
CREATE UNIQUE INDEX "etf_facts_symbol_valid_from_key" ON "etf_facts"("symbol", "valid_from");

-- CreateIndex
CREATE UNIQUE INDEX "etf_proxies_symbol_key" ON "etf_proxies"("symbol");

-- CreateIndex
CREATE INDEX "etf_proxies_proxy_symbol_idx" ON "etf_proxies"("proxy_symbol");

-- AddForeignKey
ALTER TABLE "etf_facts" ADD CONSTRAINT "etf_facts_symbol_fkey" FOREIGN KEY ("symbol") REFERENCES "etf_info"("symbol") ON DELETE CASCADE ON UPDATE CASCADE;


-- Part 3: every change of a stored price is kept, whoever makes it.
--
-- A transaction that writes to market_data writes one revision: a number, ascending in the order in
-- which revisions become visible, because the first statement takes a lock that is held until the
-- transaction ends. So there is one writer of prices at a time; readers never wait. Each row of
-- market_data has the number of the revision that wrote it; what it replaces goes to
-- market_data_history with the numbers from and to which it was the stored version. State n is
--
--     market_data where revision <= n, and market_data_history where valid_from <= n < valid_to.
--
-- Triggers are for statements with all their rows at once, except that an update marks its rows. Names
-- are qualified by the trigger's own schema, so that a session with any search_path may write.

INSERT INTO "price_revisions" ("known_at", "source", "inserted")
SELECT clock_timestamp(), 'before revisions were kept', count(*) FROM "market_data" HAVING count(*) > 0;
INSERT INTO "price_series" ("symbol", "revision") SELECT DISTINCT "symbol", 1 FROM "market_data";

CREATE FUNCTION "begin_price_revision"() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF coalesce(current_setting('etf_backtest.price_revision', true), '') = '' THEN
        -- one lock for each table of this name: the high half is ours, the low half is the table's
        PERFORM pg_advisory_xact_lock((8317987::bigint << 32) | TG_RELID::bigint);
        PERFORM set_config(
            'etf_backtest.price_revision',
            nextval(format('%I.price_revisions_number_seq', TG_TABLE_SCHEMA))::text,
            true
        );
        PERFORM set_config('etf_backtest.price_table', TG_RELID::text, true);
    ELSIF current_setting('etf_backtest.price_table', true) IS DISTINCT FROM TG_RELID::text THEN
        -- the number, and the lock, are another table's
        RAISE EXCEPTION 'this transaction has a revision already, and not of %.%',
            TG_TABLE_SCHEMA, TG_TABLE_NAME
            USING ERRCODE = 'check_violation',
                  HINT = 'Write the prices of each schema in a transaction of its own.',
                  SCHEMA = TG_TABLE_SCHEMA,
                  TABLE = TG_TABLE_NAME,
                  CONSTRAINT = 'market_data_one_schema_a_transaction';
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER "market_data_begin_revision" BEFORE INSERT OR UPDATE OR DELETE ON "market_data"
    FOR EACH STATEMENT EXECUTE FUNCTION "begin_price_revision"();

-- A row that says what it said before stays of the revision that it was of.
CREATE FUNCTION "set_price_revision"() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.symbol, NEW.date, NEW.open, NEW.high, NEW.low, NEW.close, NEW.adjusted_close,
        NEW.volume, NEW.dividend_amount, NEW.split_ratio, NEW.split_adjusted, NEW.source)
       IS DISTINCT FROM
       (OLD.id, OLD.symbol, OLD.date, OLD.open, OLD.high, OLD.low, OLD.close, OLD.adjusted_close,
        OLD.volume, OLD.dividend_amount, OLD.split_ratio, OLD.split_adjusted, OLD.source) THEN
        NEW.revision := current_setting('etf_backtest.price_revision')::bigint;
    ELSE
        NEW.revision := OLD.revision;
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER "market_data_set_revision" BEFORE UPDATE ON "market_data"
    FOR EACH ROW EXECUTE FUNCTION "set_price_revision"();

-- Notes a change in price_revisions and price_series; symbols may be named more than once. The row of
-- the revision is written when the transaction ends, with what all its statements did and the time:
-- if each of ten thousand statements changed it, each would have to pass all versions before.
CREATE FUNCTION "note_price_revision"(
    "in_schema" TEXT, "symbols" TEXT[], "inserted" BIGINT, "updated" BIGINT, "deleted" BIGINT
) RETURNS VOID LANGUAGE plpgsql AS $$
DECLARE
    revision BIGINT := current_setting('etf_backtest.price_revision')::bigint;
    before TEXT := coalesce(current_setting('etf_backtest.price_counts', true), '');
    counts BIGINT[] := ARRAY[inserted, updated, deleted];
BEGIN
    IF before = 'written' THEN
        -- constraints were made immediate: too late for the end
        EXECUTE format(
            'UPDATE %I.price_revisions SET known_at = clock_timestamp(), inserted = inserted + $2,'
            ' updated = updated + $3, deleted = deleted + $4 WHERE number = $1', in_schema
        ) USING revision, inserted, updated, deleted;
    ELSE
        IF before = '' THEN
            EXECUTE format(
                'INSERT INTO %I.price_revisions (number, known_at) VALUES ($1, clock_timestamp())',
                in_schema
            ) USING revision;
        ELSE
            counts := ARRAY[
                inserted + (before::bigint[])[1],
                updated + (before::bigint[])[2],
                deleted + (before::bigint[])[3]
            ];
        END IF;
        PERFORM set_config('etf_backtest.price_counts', counts::text, true);
    END IF;
    EXECUTE format(
        'INSERT INTO %I.price_series AS stored (symbol, revision)'
        ' SELECT DISTINCT symbol, $1 FROM unnest($2) AS touched (symbol) ORDER BY symbol'
        ' ON CONFLICT (symbol) DO UPDATE SET revision = excluded.revision'
        ' WHERE stored.revision <> excluded.revision',
        in_schema
    ) USING revision, symbols;
END
$$;

CREATE FUNCTION "complete_price_revision"() RETURNS TRIGGER LANGUAGE plpgsql AS $$
DECLARE
    before TEXT := coalesce(current_setting('etf_backtest.price_counts', true), '');
BEGIN
    IF before IN ('', 'written') OR NEW.number IS DISTINCT FROM
       nullif(current_setting('etf_backtest.price_revision', true), '')::bigint THEN
        RETURN NULL;
    END IF;
    PERFORM set_config('etf_backtest.price_counts', 'written', true);
    EXECUTE format(
        'UPDATE %I.price_revisions SET known_at = clock_timestamp(), inserted = $2, updated = $3,'
        ' deleted = $4 WHERE number = $1', TG_TABLE_SCHEMA
    ) USING NEW.number, (before::bigint[])[1], (before::bigint[])[2], (before::bigint[])[3];
    RETURN NULL;
END
$$;

CREATE CONSTRAINT TRIGGER "price_revisions_complete" AFTER INSERT ON "price_revisions"
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION "complete_price_revision"();

CREATE FUNCTION "keep_inserted_prices"() RETURNS TRIGGER LANGUAGE plpgsql AS $$
DECLARE
    found RECORD;
BEGIN
    SELECT array_agg(symbol) AS symbols, sum(rows) AS rows, bool_or(foreign_revision) AS foreign_revision
    INTO found
    FROM (
        SELECT symbol, count(*) AS rows,
               bool_or(revision <> current_setting('etf_backtest.price_revision')::bigint)
                   AS foreign_revision
        FROM new_rows GROUP BY symbol
    ) AS by_symbol;
    IF found.foreign_revision THEN
        RAISE EXCEPTION 'the revision of a row in % is set by the database', TG_TABLE_NAME
            USING ERRCODE = 'check_violation',
                  HINT = 'Leave revision out of the insert.',
                  SCHEMA = TG_TABLE_SCHEMA,
                  TABLE = TG_TABLE_NAME,
                  CONSTRAINT = 'market_data_revision_set_by_database';
    END IF;
    IF found.rows > 0 THEN
        EXECUTE format('SELECT %I.note_price_revision($1, $2, $3, 0, 0)', TG_TABLE_SCHEMA)
            USING TG_TABLE_SCHEMA::text, found.symbols::text[], found.rows::bigint;
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER "market_data_keep_inserted" AFTER INSERT ON "market_data"
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION "keep_inserted_prices"();

-- A version that this very transaction wrote was never seen by anybody, and is not kept.
CREATE FUNCTION "keep_updated_prices"() RETURNS TRIGGER LANGUAGE plpgsql AS $$
DECLARE
    current_revision BIGINT := current_setting('etf_backtest.price_revision')::bigint;
    -- making one for each row would take as long as all the rest
    one_id TEXT := gen_random_uuid()::text;
    found RECORD;
BEGIN
    SELECT array_agg(DISTINCT symbol) AS symbols, count(*) FILTER (WHERE is_new) AS rows
    INTO found
    FROM (
        SELECT symbol, true AS is_new FROM new_rows WHERE revision = current_revision
        UNION ALL
        SELECT o.symbol, false FROM old_rows AS o JOIN new_rows AS n USING (id)
        WHERE o.symbol <> n.symbol
    ) AS changed;
    IF found.rows > 0 THEN
        EXECUTE format(
            'INSERT INTO %I.market_data_history (id, symbol, date, open, high, low, close,'
            ' adjusted_close, volume, dividend_amount, split_ratio, split_adjusted, source,'
            ' valid_from, valid_to)'
            ' SELECT (left($2, 28) || lpad(to_hex(row_number() OVER ()), 8, ''0''))::uuid,'
            ' o.symbol, o.date, o.open, o.high, o.low, o.close, o.adjusted_close, o.volume,'
            ' o.dividend_amount, o.split_ratio, o.split_adjusted, o.source, o.revision, $1'
            ' FROM old_rows AS o LEFT JOIN new_rows AS n USING (id)'
            ' WHERE o.revision < $1 AND (n.id IS NULL OR n.revision = $1)',
            TG_TABLE_SCHEMA
        ) USING current_revision, one_id;
        EXECUTE format('SELECT %I.note_price_revision($1, $2, 0, $3, 0)', TG_TABLE_SCHEMA)
            USING TG_TABLE_SCHEMA::text, found.symbols::text[], found.rows::bigint;
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER "market_data_keep_updated" AFTER UPDATE ON "market_data"
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION "keep_updated_prices"();

CREATE FUNCTION "keep_deleted_prices"() RETURNS TRIGGER LANGUAGE plpgsql AS $$
DECLARE
    current_revision BIGINT := current_setting('etf_backtest.price_revision')::bigint;
    -- making one for each row would take as long as all the rest
    one_id TEXT := gen_random_uuid()::text;
    found RECORD;
BEGIN
    SELECT array_agg(DISTINCT symbol) AS symbols, count(*) AS rows INTO found FROM old_rows;
    IF found.rows > 0 THEN
        EXECUTE format(
            'INSERT INTO %I.market_data_history (id, symbol, date, open, high, low, close,'
            ' adjusted_close, volume, dividend_amount, split_ratio, split_adjusted, source,'
            ' valid_from, valid_to)'
            ' SELECT (left($2, 28) || lpad(to_hex(row_number() OVER ()), 8, ''0''))::uuid,'
            ' symbol, date, open, high, low, close, adjusted_close, volume, dividend_amount,'
            ' split_ratio, split_adjusted, source, revision, $1'
            ' FROM old_rows WHERE revision < $1',
            TG_TABLE_SCHEMA
        ) USING current_revision, one_id;
        EXECUTE format('SELECT %I.note_price_revision($1, $2, 0, 0, $3)', TG_TABLE_SCHEMA)
            USING TG_TABLE_SCHEMA::text, found.symbols::text[], found.rows::bigint;
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER "market_data_keep_deleted" AFTER DELETE ON "market_data"
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION "keep_deleted_prices"();

-- TRUNCATE has no rows to hand over, so it is refused.
CREATE FUNCTION "refuse_change_of_history"() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND TG_LEVEL = 'ROW' THEN
        -- an import completes its own revision before it ends
        IF NEW.number = OLD.number AND OLD.number
               = nullif(current_setting('etf_backtest.price_revision', true), '')::bigint THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION '% on % is refused: what prices were is never forgotten', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'check_violation',
              HINT = CASE TG_TABLE_NAME WHEN 'market_data' THEN 'Use DELETE, which keeps a history.'
                     ELSE 'Leave this table to its triggers.' END,
              SCHEMA = TG_TABLE_SCHEMA,
              TABLE = TG_TABLE_NAME,
              CONSTRAINT = TG_TABLE_NAME || '_kept';
END
$$;

CREATE TRIGGER "market_data_no_truncate" BEFORE TRUNCATE ON "market_data"
    FOR EACH STATEMENT EXECUTE FUNCTION "refuse_change_of_history"();
CREATE TRIGGER "market_data_history_kept" BEFORE UPDATE OR DELETE OR TRUNCATE ON "market_data_history"
    FOR EACH STATEMENT EXECUTE FUNCTION "refuse_change_of_history"();
CREATE TRIGGER "price_revisions_kept" BEFORE UPDATE ON "price_revisions"
    FOR EACH ROW EXECUTE FUNCTION "refuse_change_of_history"();
CREATE TRIGGER "price_revisions_never_removed" BEFORE DELETE OR TRUNCATE ON "price_revisions"
    FOR EACH STATEMENT EXECUTE FUNCTION "refuse_change_of_history"();


-- Part 4: what else schema.prisma cannot say. Each rule is described in docs/database.md.

-- series are read as a whole: compressing them costs more than it saves
ALTER TABLE "packed_prices"
    ALTER COLUMN "dates" SET STORAGE EXTERNAL,
    ALTER COLUMN "closes" SET STORAGE EXTERNAL,
    ALTER COLUMN "adjusted_closes" SET STORAGE EXTERNAL,
    ALTER COLUMN "dividends" SET STORAGE EXTERNAL,
    ALTER COLUMN "splits" SET STORAGE EXTERNAL;

-- market_data_history
ALTER TABLE "market_data_history"
    ADD CONSTRAINT "market_data_history_valid_in_order" CHECK ("valid_from" < "valid_to");

-- price_revisions
ALTER TABLE "price_revisions"
    ADD CONSTRAINT "price_revisions_number_positive" CHECK ("number" > 0),
    ADD CONSTRAINT "price_revisions_counts_not_negative"
        CHECK ("inserted" >= 0 AND "updated" >= 0 AND "deleted" >= 0),
    ADD CONSTRAINT "price_revisions_details_object" CHECK (jsonb_typeof("details") = 'object');

-- packed_prices
ALTER TABLE "packed_prices"
    ADD CONSTRAINT "packed_prices_sessions_positive" CHECK ("sessions" > 0),
    ADD CONSTRAINT "packed_prices_lengths" CHECK (
        octet_length("dates") = 4 * "sessions"
        AND octet_length("closes") = 8 * "sessions"
        AND octet_length("adjusted_closes") = 8 * "sessions"
        AND octet_length("dividends") % 12 = 0
        AND octet_length("splits") % 12 = 0
    ),
    ADD CONSTRAINT "packed_prices_split_adjusted_form" CHECK ("split_adjusted" ~ '^f?t?\??$'),
    ADD CONSTRAINT "packed_prices_sources_array" CHECK (jsonb_typeof("sources") = 'array');

-- backtests
ALTER TABLE "backtests"
    ADD CONSTRAINT "backtests_data_revision_not_negative" CHECK ("data_revision" >= 0);

-- etf_info
ALTER TABLE "etf_info"
    ADD CONSTRAINT "etf_info_delisted_date_when_delisted"
        CHECK (("status" = 'delisted') = ("delisted_date" IS NOT NULL)),
    ADD CONSTRAINT "etf_info_last_price_positive" CHECK ("last_price" > 0 AND "last_price" <> 'NaN'),
    ADD CONSTRAINT "etf_info_last_price_dated"
        CHECK (("last_price" IS NULL) = ("last_price_date" IS NULL)),
    ADD CONSTRAINT "etf_info_life_in_order"
        CHECK ("inception_date" <= "delisted_date" AND "last_price_date" <= "delisted_date"),
    ADD CONSTRAINT "etf_info_end_dates_finite"
        CHECK (isfinite("delisted_date") AND isfinite("last_price_date"));

-- etf_facts
ALTER TABLE "etf_facts"
    ADD CONSTRAINT "etf_facts_valid_from_finite" CHECK (isfinite("valid_from")),
    ADD CONSTRAINT "etf_facts_says_something" CHECK (
        num_nonnulls("expense_ratio", "assets_under_management", "category", "benchmark_index", "status") > 0
    ),
    ADD CONSTRAINT "etf_facts_expense_ratio_range" CHECK ("expense_ratio" BETWEEN 0 AND 1),
    ADD CONSTRAINT "etf_facts_assets_under_management_not_negative"
        CHECK ("assets_under_management" >= 0 AND "assets_under_management" <> 'NaN');

-- etf_proxies
ALTER TABLE "etf_proxies"
    ADD CONSTRAINT "etf_proxies_symbol_form" CHECK ("symbol" ~ '^[A-Z0-9.^=_:/&+$-]{1,20}$'),
    ADD CONSTRAINT "etf_proxies_proxy_symbol_form"
        CHECK ("proxy_symbol" ~ '^[A-Z0-9.^=_:/&+$-]{1,20}$'),
    ADD CONSTRAINT "etf_proxies_not_itself" CHECK ("symbol" <> "proxy_symbol"),
    ADD CONSTRAINT "etf_proxies_annual_fee_range" CHECK ("annual_fee" BETWEEN -0.2 AND 0.2),
    ADD CONSTRAINT "etf_proxies_dates_finite"
        CHECK (isfinite("splice_date") AND isfinite("overlap_start") AND isfinite("overlap_end")),
    ADD CONSTRAINT "etf_proxies_overlap_in_order"
        CHECK ("splice_date" <= "overlap_start" AND "overlap_start" <= "overlap_end"),
    ADD CONSTRAINT "etf_proxies_overlap_sessions_not_negative" CHECK ("overlap_sessions" >= 0),
    ADD CONSTRAINT "etf_proxies_overlap_when_sessions"
        CHECK (("overlap_sessions" > 0) = ("overlap_start" IS NOT NULL)
               AND ("overlap_sessions" > 0) = ("overlap_end" IS NOT NULL)),
    ADD CONSTRAINT "etf_proxies_tracking_error_not_negative"
        CHECK ("tracking_error" >= 0 AND "tracking_error" <> 'NaN'),
    ADD CONSTRAINT "etf_proxies_correlation_range" CHECK ("correlation" BETWEEN -1 AND 1);

CREATE TRIGGER "price_revisions_set_updated_at" BEFORE UPDATE ON "price_revisions"
    FOR EACH ROW EXECUTE FUNCTION "set_updated_at"();
CREATE TRIGGER "price_series_set_updated_at" BEFORE UPDATE ON "price_series"
    FOR EACH ROW EXECUTE FUNCTION "set_updated_at"();
CREATE TRIGGER "packed_prices_set_updated_at" BEFORE UPDATE ON "packed_prices"
    FOR EACH ROW EXECUTE FUNCTION "set_updated_at"();
CREATE TRIGGER "etf_facts_set_updated_at" BEFORE UPDATE ON "etf_facts"
    FOR EACH ROW EXECUTE FUNCTION "set_updated_at"();
CREATE TRIGGER "etf_proxies_set_updated_at" BEFORE UPDATE ON "etf_proxies"
    FOR EACH ROW EXECUTE FUNCTION "set_updated_at"();

COMMENT ON TABLE "market_data_history" IS
    'A version of a session''s prices that is stored no more: the stored one in states valid_from <= n < valid_to';
COMMENT ON TABLE "price_revisions" IS
    'One transaction that changed stored prices; numbers ascend as they become visible';
COMMENT ON TABLE "price_series" IS 'Which revision changed a symbol''s prices last';
COMMENT ON TABLE "packed_prices" IS
    'A symbol''s whole series in binary, beside its rows; of use while its revision is that of price_series';
COMMENT ON TABLE "etf_facts" IS
    'What was true of a fund from valid_from on; null where the statement is silent';
COMMENT ON TABLE "etf_proxies" IS 'Another symbol''s history that stands before a young fund''s own';
