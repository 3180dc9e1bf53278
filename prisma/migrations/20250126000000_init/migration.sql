-- Part 1: the extensions that the server offers. Nothing below needs them (gen_random_uuid() is
-- built in); they are for whoever wants uuid_generate_v4() or digest() in queries of their own.
-- A server without them, or a role that may not create them, is as good.
DO $$
DECLARE
    wanted TEXT;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['uuid-ossp', 'pgcrypto'] LOOP
        IF EXISTS (SELECT FROM pg_available_extensions WHERE name = wanted) THEN
            BEGIN
                EXECUTE format('CREATE EXTENSION IF NOT EXISTS %I', wanted);
            EXCEPTION
                WHEN insufficient_privilege OR undefined_file OR feature_not_supported
                     OR unique_violation THEN
                    RAISE NOTICE 'extension % not created: %', wanted, SQLERRM;
            END;
        END IF;
    END LOOP;
END
$$;

-- Part 2: tables, indexes and foreign keys, as Prisma derives them from schema.prisma.

-- CreateEnum
CREATE TYPE "subscription_tier" AS ENUM ('free', 'basic', 'premium');

-- CreateEnum
CREATE TYPE "strategy_type" AS ENUM ('buy_and_hold', 'momentum');

-- CreateEnum
CREATE TYPE "backtest_status" AS ENUM ('pending', 'running', 'completed', 'failed');

-- CreateTable
CREATE TABLE "users" (
    "id" UUID NOT NULL DEFAULT gen_random_uuid(),
    "email" VARCHAR(320) NOT NULL,
    "password_hash" VARCHAR(255) NOT NULL,
    "first_name" VARCHAR(100),
    "last_name" VARCHAR(100),
    "subscription_tier" "subscription_tier" NOT NULL DEFAULT 'free',
    "email_verified" BOOLEAN NOT NULL DEFAULT false,
    "is_active" BOOLEAN NOT NULL DEFAULT true,
    "last_login" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "users_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "portfolios" (
    "id" UUID NOT NULL DEFAULT gen_random_uuid(),
    "user_id" UUID NOT NULL,
    "name" VARCHAR(255) NOT NULL,
    "description" TEXT,
    "initial_capital" DECIMAL(12,2) NOT NULL DEFAULT 10000,
    "currency" VARCHAR(3) NOT NULL DEFAULT 'USD',
    "is_public" BOOLEAN NOT NULL DEFAULT false,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "portfolios_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "portfolio_holdings" (
    "id" UUID NOT NULL DEFAULT gen_random_uuid(),
    "portfolio_id" UUID NOT NULL,
    "symbol" VARCHAR(20) NOT NULL,
    "allocation" DECIMAL(5,4) NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "portfolio_holdings_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "strategies" (
    "id" UUID NOT NULL DEFAULT gen_random_uuid(),
    "user_id" UUID,
    "name" VARCHAR(255) NOT NULL,
    "type" "strategy_type" NOT NULL,
    "description" TEXT,
    "parameters" JSONB NOT NULL DEFAULT '{}',
    "is_system" BOOLEAN NOT NULL DEFAULT false,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "strategies_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "backtests" (
    "id" UUID NOT NULL DEFAULT gen_random_uuid(),
    "user_id" UUID NOT NULL,
    "portfolio_id" UUID NOT NULL,
    "strategy_id" UUID NOT NULL,
    "name" VARCHAR(255) NOT NULL,
    "start_date" DATE NOT NULL,
    "end_date" DATE NOT NULL,
    "initial_capital" DECIMAL(12,2) NOT NULL,
    "benchmark_symbol" VARCHAR(20),
    "status" "backtest_status" NOT NULL DEFAULT 'pending',
    "options" JSONB NOT NULL DEFAULT '{}',
    "results" JSONB,
    "error_message" TEXT,
    "queued_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "started_at" TIMESTAMPTZ(3),
    "completed_at" TIMESTAMPTZ(3),
    "engine_version" VARCHAR(50),
    "conventions_version" INTEGER,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "backtests_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "performance_metrics" (
    "id" UUID NOT NULL DEFAULT gen_random_uuid(),
    "backtest_id" UUID NOT NULL,
    "total_return" DECIMAL(10,6),
    "annualized_return" DECIMAL(10,6),
    "volatility" DECIMAL(10,6),
    "sharpe_ratio" DECIMAL(10,6),
    "sortino_ratio" DECIMAL(10,6),
    "calmar_ratio" DECIMAL(10,6),
    "max_drawdown" DECIMAL(10,6),
    "value_at_risk_95" DECIMAL(10,6),
    "conditional_value_at_risk_95" DECIMAL(10,6),
    "alpha" DECIMAL(10,6),
    "beta" DECIMAL(10,6),
    "information_ratio" DECIMAL(10,6),
    "tracking_error" DECIMAL(10,6),
    "win_rate" DECIMAL(10,6),
    "window_start" DATE NOT NULL,
    "window_end" DATE NOT NULL,
    "sessions" INTEGER NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "performance_metrics_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "market_data" (
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
    "source" VARCHAR(50) NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "market_data_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "etf_info" (
    "id" UUID NOT NULL DEFAULT gen_random_uuid(),
    "symbol" VARCHAR(20) NOT NULL,
    "name" VARCHAR(255) NOT NULL,
    "issuer" VARCHAR(100),
    "expense_ratio" DECIMAL(8,6),
    "assets_under_management" DECIMAL(20,2),
    "category" VARCHAR(100),
    "sector" VARCHAR(100),
    "geography" VARCHAR(100),
    "investment_style" VARCHAR(100),
    "asset_class" VARCHAR(50),
    "benchmark_index" VARCHAR(255),
    "inception_date" DATE,
    "exchange" VARCHAR(50),
    "currency" VARCHAR(3) NOT NULL DEFAULT 'USD',
    "as_of_date" DATE,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "etf_info_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "users_email_key" ON "users"("email");

-- CreateIndex
CREATE UNIQUE INDEX "portfolios_user_id_name_key" ON "portfolios"("user_id", "name");

-- CreateIndex
CREATE INDEX "portfolio_holdings_symbol_idx" ON "portfolio_holdings"("symbol");

-- CreateIndex
CREATE UNIQUE INDEX "portfolio_holdings_portfolio_id_symbol_key" ON "portfolio_holdings"("portfolio_id", "symbol");

-- CreateIndex
CREATE INDEX "strategies_type_idx" ON "strategies"("type");

-- CreateIndex
CREATE INDEX "strategies_parameters_idx" ON "strategies" USING GIN ("parameters" jsonb_path_ops);

-- CreateIndex
CREATE UNIQUE INDEX "strategies_user_id_name_key" ON "strategies"("user_id", "name");

-- CreateIndex
CREATE INDEX "backtests_user_id_created_at_idx" ON "backtests"("user_id", "created_at" DESC);

-- CreateIndex
CREATE INDEX "backtests_portfolio_id_idx" ON "backtests"("portfolio_id");

-- CreateIndex
CREATE INDEX "backtests_strategy_id_idx" ON "backtests"("strategy_id");

-- CreateIndex
CREATE INDEX "backtests_status_queued_at_idx" ON "backtests"("status", "queued_at");

-- CreateIndex
CREATE INDEX "backtests_results_idx" ON "backtests" USING GIN ("results" jsonb_path_ops);

-- CreateIndex
CREATE UNIQUE INDEX "performance_metrics_backtest_id_key" ON "performance_metrics"("backtest_id");

-- CreateIndex
CREATE UNIQUE INDEX "market_data_symbol_date_key" ON "market_data"("symbol", "date");

-- CreateIndex
CREATE UNIQUE INDEX "etf_info_symbol_key" ON "etf_info"("symbol");

-- CreateIndex
CREATE INDEX "etf_info_category_idx" ON "etf_info"("category");

-- CreateIndex
CREATE INDEX "etf_info_sector_idx" ON "etf_info"("sector");

-- AddForeignKey
ALTER TABLE "portfolios" ADD CONSTRAINT "portfolios_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "portfolio_holdings" ADD CONSTRAINT "portfolio_holdings_portfolio_id_fkey" FOREIGN KEY ("portfolio_id") REFERENCES "portfolios"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "strategies" ADD CONSTRAINT "strategies_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "backtests" ADD CONSTRAINT "backtests_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "backtests" ADD CONSTRAINT "backtests_portfolio_id_fkey" FOREIGN KEY ("portfolio_id") REFERENCES "portfolios"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "backtests" ADD CONSTRAINT "backtests_strategy_id_fkey" FOREIGN KEY ("strategy_id") REFERENCES "strategies"("id") ON DELETE NO ACTION ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "performance_metrics" ADD CONSTRAINT "performance_metrics_backtest_id_fkey" FOREIGN KEY ("backtest_id") REFERENCES "backtests"("id") ON DELETE CASCADE ON UPDATE CASCADE;


-- Part 3: what schema.prisma cannot say. Each rule is described in docs/database.md.
--
-- In PostgreSQL NaN is a numeric that equals itself and is greater than every number: "x > 0" lets
-- it in. Every DECIMAL column therefore refuses it, by an upper bound or by name. (Infinity does
-- not fit a DECIMAL with a precision.) A comparison with NULL is unknown, which a CHECK lets pass:
-- rules over nullable columns hold where the values are there.

-- Unique expressions and subsets
CREATE UNIQUE INDEX "users_email_lower_key" ON "users"(lower("email"));
CREATE UNIQUE INDEX "strategies_system_name_key" ON "strategies"("name") WHERE "user_id" IS NULL;

-- users
ALTER TABLE "users"
    ADD CONSTRAINT "users_email_plausible"
        CHECK ("email" ~ '^[^@[:space:]]+@[^@[:space:].]+(\.[^@[:space:].]+)+$'),
    ADD CONSTRAINT "users_password_hash_not_blank" CHECK ("password_hash" ~ '[^[:space:]]');

-- portfolios
ALTER TABLE "portfolios"
    ADD CONSTRAINT "portfolios_name_not_blank" CHECK ("name" ~ '[^[:space:]]'),
    ADD CONSTRAINT "portfolios_initial_capital_positive"
        CHECK ("initial_capital" > 0 AND "initial_capital" <> 'NaN'),
    ADD CONSTRAINT "portfolios_currency_iso" CHECK ("currency" ~ '^[A-Z]{3}$');

-- portfolio_holdings
ALTER TABLE "portfolio_holdings"
    ADD CONSTRAINT "portfolio_holdings_symbol_form"
        CHECK ("symbol" ~ '^[A-Z0-9.^=_:/&+$-]{1,20}$'),
    ADD CONSTRAINT "portfolio_holdings_allocation_range" CHECK ("allocation" BETWEEN 0 AND 1);

-- strategies
ALTER TABLE "strategies"
    ADD CONSTRAINT "strategies_name_not_blank" CHECK ("name" ~ '[^[:space:]]'),
    ADD CONSTRAINT "strategies_parameters_object" CHECK (jsonb_typeof("parameters") = 'object'),
    ADD CONSTRAINT "strategies_system_without_owner" CHECK ("is_system" = ("user_id" IS NULL));

-- backtests
ALTER TABLE "backtests"
    ADD CONSTRAINT "backtests_name_not_blank" CHECK ("name" ~ '[^[:space:]]'),
    ADD CONSTRAINT "backtests_dates_finite" CHECK (isfinite("start_date") AND isfinite("end_date")),
    ADD CONSTRAINT "backtests_dates_in_order" CHECK ("start_date" < "end_date"),
    ADD CONSTRAINT "backtests_initial_capital_positive"
        CHECK ("initial_capital" > 0 AND "initial_capital" <> 'NaN'),
    ADD CONSTRAINT "backtests_benchmark_symbol_form"
        CHECK ("benchmark_symbol" ~ '^[A-Z0-9.^=_:/&+$-]{1,20}$'),
    ADD CONSTRAINT "backtests_options_object" CHECK (jsonb_typeof("options") = 'object'),
    ADD CONSTRAINT "backtests_results_object" CHECK (jsonb_typeof("results") = 'object'),
    ADD CONSTRAINT "backtests_conventions_version_positive" CHECK ("conventions_version" > 0),
    ADD CONSTRAINT "backtests_started_when_running"
        CHECK ("status" NOT IN ('running', 'completed') OR "started_at" IS NOT NULL),
    ADD CONSTRAINT "backtests_not_started_when_pending"
        CHECK ("status" <> 'pending' OR "started_at" IS NULL),
    ADD CONSTRAINT "backtests_completed_at_when_ended"
        CHECK (("status" IN ('completed', 'failed')) = ("completed_at" IS NOT NULL)),
    ADD CONSTRAINT "backtests_results_when_completed"
        CHECK (("status" = 'completed') = ("results" IS NOT NULL)),
    ADD CONSTRAINT "backtests_error_message_when_failed"
        CHECK (("status" = 'failed') = ("error_message" IS NOT NULL)),
    ADD CONSTRAINT "backtests_error_message_not_blank" CHECK ("error_message" ~ '[^[:space:]]'),
    ADD CONSTRAINT "backtests_times_in_order"
        CHECK (
            "queued_at" <= "started_at"
            AND "started_at" <= "completed_at"
            AND "queued_at" <= "completed_at"
        );

-- performance_metrics
ALTER TABLE "performance_metrics"
    ADD CONSTRAINT "performance_metrics_no_nan" CHECK (
        "total_return" <> 'NaN'
        AND "annualized_return" <> 'NaN'
        AND "volatility" <> 'NaN'
        AND "sharpe_ratio" <> 'NaN'
        AND "sortino_ratio" <> 'NaN'
        AND "calmar_ratio" <> 'NaN'
        AND "max_drawdown" <> 'NaN'
        AND "value_at_risk_95" <> 'NaN'
        AND "conditional_value_at_risk_95" <> 'NaN'
        AND "alpha" <> 'NaN'
        AND "beta" <> 'NaN'
        AND "information_ratio" <> 'NaN'
        AND "tracking_error" <> 'NaN'
        AND "win_rate" <> 'NaN'
    ),
    ADD CONSTRAINT "performance_metrics_volatility_not_negative" CHECK ("volatility" >= 0),
    ADD CONSTRAINT "performance_metrics_max_drawdown_not_positive" CHECK ("max_drawdown" <= 0),
    ADD CONSTRAINT "performance_metrics_tracking_error_not_negative" CHECK ("tracking_error" >= 0),
    ADD CONSTRAINT "performance_metrics_win_rate_range" CHECK ("win_rate" BETWEEN 0 AND 1),
    ADD CONSTRAINT "performance_metrics_window_finite"
        CHECK (isfinite("window_start") AND isfinite("window_end")),
    ADD CONSTRAINT "performance_metrics_window_in_order" CHECK ("window_start" <= "window_end"),
    ADD CONSTRAINT "performance_metrics_sessions_positive" CHECK ("sessions" > 0);

-- market_data
ALTER TABLE "market_data"
    ADD CONSTRAINT "market_data_symbol_form" CHECK ("symbol" ~ '^[A-Z0-9.^=_:/&+$-]{1,20}$'),
    ADD CONSTRAINT "market_data_date_finite" CHECK (isfinite("date")),
    ADD CONSTRAINT "market_data_close_or_adjusted_close_present"
        CHECK ("close" IS NOT NULL OR "adjusted_close" IS NOT NULL),
    ADD CONSTRAINT "market_data_open_positive" CHECK ("open" > 0 AND "open" <> 'NaN'),
    ADD CONSTRAINT "market_data_high_positive" CHECK ("high" > 0 AND "high" <> 'NaN'),
    ADD CONSTRAINT "market_data_low_positive" CHECK ("low" > 0 AND "low" <> 'NaN'),
    ADD CONSTRAINT "market_data_close_positive" CHECK ("close" > 0 AND "close" <> 'NaN'),
    ADD CONSTRAINT "market_data_adjusted_close_positive"
        CHECK ("adjusted_close" > 0 AND "adjusted_close" <> 'NaN'),
    ADD CONSTRAINT "market_data_low_is_lowest"
        CHECK ("low" <= "open" AND "low" <= "high" AND "low" <= "close"),
    ADD CONSTRAINT "market_data_high_is_highest" CHECK ("open" <= "high" AND "close" <= "high"),
    ADD CONSTRAINT "market_data_volume_not_negative" CHECK ("volume" >= 0),
    ADD CONSTRAINT "market_data_dividend_amount_not_negative"
        CHECK ("dividend_amount" >= 0 AND "dividend_amount" <> 'NaN'),
    ADD CONSTRAINT "market_data_split_ratio_positive"
        CHECK ("split_ratio" > 0 AND "split_ratio" <> 'NaN'),
    ADD CONSTRAINT "market_data_source_not_blank" CHECK ("source" ~ '[^[:space:]]');

-- etf_info
ALTER TABLE "etf_info"
    ADD CONSTRAINT "etf_info_symbol_form" CHECK ("symbol" ~ '^[A-Z0-9.^=_:/&+$-]{1,20}$'),
    ADD CONSTRAINT "etf_info_name_not_blank" CHECK ("name" ~ '[^[:space:]]'),
    ADD CONSTRAINT "etf_info_expense_ratio_range" CHECK ("expense_ratio" BETWEEN 0 AND 1),
    ADD CONSTRAINT "etf_info_assets_under_management_not_negative"
        CHECK ("assets_under_management" >= 0 AND "assets_under_management" <> 'NaN'),
    ADD CONSTRAINT "etf_info_currency_iso" CHECK ("currency" ~ '^[A-Z]{3}$'),
    ADD CONSTRAINT "etf_info_dates_finite"
        CHECK (isfinite("inception_date") AND isfinite("as_of_date"));

-- updated_at is the server's clock at the last change, whoever writes; created_at never changes
CREATE FUNCTION "set_updated_at"() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.created_at IS DISTINCT FROM OLD.created_at THEN
        RAISE EXCEPTION 'created_at of a row in % cannot be changed', TG_TABLE_NAME
            USING ERRCODE = 'check_violation',
                  DETAIL = format('Stored %s, received %s.', OLD.created_at, NEW.created_at),
                  HINT = 'Leave created_at out of the update.',
                  SCHEMA = TG_TABLE_SCHEMA,
                  TABLE = TG_TABLE_NAME,
                  CONSTRAINT = TG_TABLE_NAME || '_created_at_fixed';
    END IF;
    NEW.updated_at := clock_timestamp();
    RETURN NEW;
END
$$;

CREATE TRIGGER "users_set_updated_at" BEFORE UPDATE ON "users"
    FOR EACH ROW EXECUTE FUNCTION "set_updated_at"();
CREATE TRIGGER "portfolios_set_updated_at" BEFORE UPDATE ON "portfolios"
    FOR EACH ROW EXECUTE FUNCTION "set_updated_at"();
CREATE TRIGGER "portfolio_holdings_set_updated_at" BEFORE UPDATE ON "portfolio_holdings"
    FOR EACH ROW EXECUTE FUNCTION "set_updated_at"();
CREATE TRIGGER "strategies_set_updated_at" BEFORE UPDATE ON "strategies"
    FOR EACH ROW EXECUTE FUNCTION "set_updated_at"();
CREATE TRIGGER "backtests_set_updated_at" BEFORE UPDATE ON "backtests"
    FOR EACH ROW EXECUTE FUNCTION "set_updated_at"();
CREATE TRIGGER "performance_metrics_set_updated_at" BEFORE UPDATE ON "performance_metrics"
    FOR EACH ROW EXECUTE FUNCTION "set_updated_at"();
CREATE TRIGGER "market_data_set_updated_at" BEFORE UPDATE ON "market_data"
    FOR EACH ROW EXECUTE FUNCTION "set_updated_at"();
CREATE TRIGGER "etf_info_set_updated_at" BEFORE UPDATE ON "etf_info"
    FOR EACH ROW EXECUTE FUNCTION "set_updated_at"();

-- The allocations of a portfolio sum to at most 1 at the end of every transaction.
--
-- Two transactions that each add 0.6 do not see each other's row. So each first updates the
-- portfolio's row, which the second has to wait for; then READ COMMITTED sees the first one's row
-- in its sum, and REPEATABLE READ and SERIALIZABLE fail with a serialization error (a mere row lock
-- would let those two pass). One update a transaction is enough: xmin says whether it was ours. It
-- moves the portfolio's updated_at, rightly: its targets have changed.
--
-- Names are qualified by the trigger's own schema, so that a session with any search_path may write.
CREATE FUNCTION "check_portfolio_allocation"() RETURNS TRIGGER LANGUAGE plpgsql AS $$
DECLARE
    touched UUID;
    total NUMERIC;
BEGIN
    FOREACH touched IN ARRAY CASE TG_OP
        WHEN 'INSERT' THEN ARRAY[NEW.portfolio_id]
        WHEN 'DELETE' THEN ARRAY[OLD.portfolio_id]
        ELSE CASE WHEN NEW.portfolio_id = OLD.portfolio_id THEN ARRAY[NEW.portfolio_id]
                  ELSE ARRAY[LEAST(OLD.portfolio_id, NEW.portfolio_id),
                             GREATEST(OLD.portfolio_id, NEW.portfolio_id)] END
    END LOOP
        EXECUTE format(
            'UPDATE %I.portfolios SET updated_at = clock_timestamp()'
            ' WHERE id = $1 AND xmin <> pg_current_xact_id()::xid', TG_TABLE_SCHEMA
        ) USING touched;
        EXECUTE format(
            'SELECT sum(allocation) FROM %I.portfolio_holdings WHERE portfolio_id = $1',
            TG_TABLE_SCHEMA
        ) INTO total USING touched;
        IF total > 1 THEN
            RAISE EXCEPTION 'allocations of portfolio % sum to %, which is more than 1',
                            touched, total
                USING ERRCODE = 'check_violation',
                      DETAIL = format('Expected a sum of at most 1, received %s.', total),
                      HINT = 'Lower the allocations; what they leave of 1 is held as cash.',
                      SCHEMA = TG_TABLE_SCHEMA,
                      TABLE = TG_TABLE_NAME,
                      CONSTRAINT = 'portfolio_holdings_allocation_sum';
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;

CREATE CONSTRAINT TRIGGER "portfolio_holdings_allocation_sum"
    AFTER INSERT OR UPDATE OR DELETE ON "portfolio_holdings"
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION "check_portfolio_allocation"();

-- A backtest goes pending -> running -> completed | failed; pending -> failed when it cannot start;
-- running -> pending rescues a run whose worker is gone; failed -> pending is another try. What is
-- completed stays as it is: only its name may change. Times that the writer leaves out are filled
-- in, never before the earlier one: queued_at may come from a client whose clock is ahead.
CREATE FUNCTION "check_backtest_status"() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.status = 'completed' THEN
        IF to_jsonb(NEW) - ARRAY['name', 'updated_at', 'created_at']
           IS DISTINCT FROM to_jsonb(OLD) - ARRAY['name', 'updated_at', 'created_at'] THEN
            RAISE EXCEPTION 'backtest % is completed and cannot be changed', OLD.id
                USING ERRCODE = 'check_violation',
                      DETAIL = 'Of a completed backtest only the name may change.',
                      HINT = 'Create a new backtest.',
                      SCHEMA = TG_TABLE_SCHEMA,
                      TABLE = TG_TABLE_NAME,
                      CONSTRAINT = 'backtests_completed_is_final';
        END IF;
        RETURN NEW;
    END IF;

    IF TG_OP = 'UPDATE' AND NEW.status <> OLD.status THEN
        IF (OLD.status, NEW.status) NOT IN (
            ('pending', 'running'), ('pending', 'failed'),
            ('running', 'completed'), ('running', 'failed'), ('running', 'pending'),
            ('failed', 'pending')
        ) THEN
            RAISE EXCEPTION 'backtest % cannot go from % to %', OLD.id, OLD.status, NEW.status
                USING ERRCODE = 'check_violation',
                      DETAIL = 'Allowed: pending to running or failed; running to completed, '
                               'failed or pending; failed to pending.',
                      HINT = 'Take the steps in between.',
                      SCHEMA = TG_TABLE_SCHEMA,
                      TABLE = TG_TABLE_NAME,
                      CONSTRAINT = 'backtests_status_change';
        END IF;
        IF NEW.status = 'pending' THEN
            NEW.started_at := NULL;
            NEW.completed_at := NULL;
            NEW.results := NULL;
            NEW.error_message := NULL;
        END IF;
    END IF;

    IF NEW.status IN ('running', 'completed') AND NEW.started_at IS NULL THEN
        NEW.started_at := GREATEST(clock_timestamp(), NEW.queued_at);
    END IF;
    IF NEW.status IN ('completed', 'failed') AND NEW.completed_at IS NULL THEN
        NEW.completed_at := GREATEST(clock_timestamp(), NEW.queued_at, NEW.started_at);
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER "backtests_check_status" BEFORE INSERT OR UPDATE ON "backtests"
    FOR EACH ROW EXECUTE FUNCTION "check_backtest_status"();

-- For whoever meets the tables in psql or another tool
COMMENT ON TABLE "users" IS 'Whoever owns portfolios and runs backtests';
COMMENT ON TABLE "portfolios" IS 'Target allocations, and the capital they start with';
COMMENT ON TABLE "portfolio_holdings" IS
    'One symbol of a portfolio; allocations sum to at most 1, the rest is cash';
COMMENT ON TABLE "strategies" IS 'A rule that turns price history into target weights';
COMMENT ON TABLE "backtests" IS 'One run: what was asked for, how far it got, what came out';
COMMENT ON TABLE "performance_metrics" IS 'The numbers of one backtest; null where undefined';
COMMENT ON TABLE "market_data" IS
    'One session of one symbol; close is as traded, adjusted_close as the vendor adjusted it';
COMMENT ON TABLE "etf_info" IS 'What a fund is; figures are true on as_of_date';
