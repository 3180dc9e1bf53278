-- Part 1: as Prisma derives it from schema.prisma.

-- CreateEnum
CREATE TYPE "token_purpose" AS ENUM ('verify_email');

-- AlterTable
ALTER TABLE "backtests" ADD COLUMN     "attempt_id" UUID,
ADD COLUMN     "attempts" INTEGER NOT NULL DEFAULT 0,
ADD COLUMN     "is_shared" BOOLEAN NOT NULL DEFAULT false,
ADD COLUMN     "lease_expires_at" TIMESTAMPTZ(3),
ADD COLUMN     "priority" SMALLINT NOT NULL DEFAULT 0;

-- CreateTable
CREATE TABLE "user_tokens" (
    "id" UUID NOT NULL DEFAULT gen_random_uuid(),
    "user_id" UUID NOT NULL,
    "purpose" "token_purpose" NOT NULL,
    "email" VARCHAR(320) NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "used_at" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "user_tokens_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "sign_in_throttles" (
    "id" UUID NOT NULL DEFAULT gen_random_uuid(),
    "subject" BYTEA NOT NULL,
    "failures" INTEGER NOT NULL,
    "blocked_until" TIMESTAMPTZ(3) NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "sign_in_throttles_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "user_tokens_user_id_idx" ON "user_tokens"("user_id");

-- CreateIndex
CREATE INDEX "user_tokens_expires_at_idx" ON "user_tokens"("expires_at");

-- CreateIndex
CREATE UNIQUE INDEX "sign_in_throttles_subject_key" ON "sign_in_throttles"("subject");

-- CreateIndex
CREATE INDEX "sign_in_throttles_blocked_until_idx" ON "sign_in_throttles"("blocked_until");

-- AddForeignKey
ALTER TABLE "user_tokens" ADD CONSTRAINT "user_tokens_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE CASCADE;


-- Part 2: what schema.prisma cannot say. Each rule is described in docs/database.md.

-- Who looks for what others have shared, looks among the public ones only.
CREATE INDEX "portfolios_public_name_idx" ON "portfolios"("name") WHERE "is_public";
CREATE INDEX "backtests_shared_created_at_idx" ON "backtests"("created_at" DESC) WHERE "is_shared";

-- user_tokens
ALTER TABLE "user_tokens"
    ADD CONSTRAINT "user_tokens_email_not_blank" CHECK ("email" ~ '[^[:space:]]'),
    ADD CONSTRAINT "user_tokens_expires_at_finite" CHECK (isfinite("expires_at"));

-- sign_in_throttles
ALTER TABLE "sign_in_throttles"
    ADD CONSTRAINT "sign_in_throttles_subject_sha256" CHECK (octet_length("subject") = 32),
    ADD CONSTRAINT "sign_in_throttles_failures_positive" CHECK ("failures" > 0),
    ADD CONSTRAINT "sign_in_throttles_blocked_until_finite" CHECK (isfinite("blocked_until"));

-- backtests: an attempt that may be rescued is one of a worker of ours; whoever else sets a row to
-- running (a web application that computes by itself) has no lease, and is left alone
ALTER TABLE "backtests"
    -- what no client's calendar has would break the list of whoever owns it
    ADD CONSTRAINT "backtests_dates_in_calendar"
        CHECK ("start_date" >= '0001-01-01' AND "end_date" <= '9999-12-31'),
    ADD CONSTRAINT "backtests_priority_range" CHECK ("priority" BETWEEN -100 AND 100),
    ADD CONSTRAINT "backtests_attempts_not_negative" CHECK ("attempts" >= 0),
    ADD CONSTRAINT "backtests_lease_when_running"
        CHECK (
            "lease_expires_at" IS NULL
            OR ("status" = 'running' AND "attempt_id" IS NOT NULL AND isfinite("lease_expires_at"))
        );

CREATE TRIGGER "user_tokens_set_updated_at" BEFORE UPDATE ON "user_tokens"
    FOR EACH ROW EXECUTE FUNCTION "set_updated_at"();
CREATE TRIGGER "sign_in_throttles_set_updated_at" BEFORE UPDATE ON "sign_in_throttles"
    FOR EACH ROW EXECUTE FUNCTION "set_updated_at"();

-- As before, and: a completed backtest may be shared and unshared. Whatever goes back to pending
-- belongs to no attempt, so that one that was thought dead cannot store its result any more; what
-- had failed and is tried again starts to count anew. A lease ends with the run.
CREATE OR REPLACE FUNCTION "check_backtest_status"() RETURNS TRIGGER LANGUAGE plpgsql AS $$
DECLARE
    free CONSTANT TEXT[] := ARRAY['name', 'is_shared', 'updated_at', 'created_at'];
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.status = 'completed' THEN
        IF to_jsonb(NEW) - free IS DISTINCT FROM to_jsonb(OLD) - free THEN
            RAISE EXCEPTION 'backtest % is completed and cannot be changed', OLD.id
                USING ERRCODE = 'check_violation',
                      DETAIL = 'Of a completed backtest only name and is_shared may change.',
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
            NEW.attempt_id := NULL;
            IF OLD.status = 'failed' THEN
                NEW.attempts := 0;
            END IF;
        END IF;
    END IF;

    IF NEW.status <> 'running' THEN
        NEW.lease_expires_at := NULL;
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

-- The queue of pending backtests. Whoever writes a pending row (our commands, Prisma Studio, a web
-- application, plain SQL) has thereby queued it: these triggers tell the queue, which has tables
-- and functions in a schema of its own beside ours (etf_backtest_queue; queue_of_NAME where our
-- tables are in the schema NAME instead of public). migrate deploy installs it; where it is not
-- installed, rows wait, and are found when it is. What is called runs with the rights of whoever
-- writes the row, so it must belong to somebody who may act as the table's owner: others could have
-- made a schema of that name.
CREATE FUNCTION "tell_backtest_queue"() RETURNS TRIGGER LANGUAGE plpgsql AS $$
DECLARE
    queue CONSTANT TEXT := CASE TG_TABLE_SCHEMA WHEN 'public' THEN 'etf_backtest_queue'
                           ELSE 'queue_of_' || left(TG_TABLE_SCHEMA, 54) END;
    called CONSTANT TEXT := CASE TG_OP WHEN 'DELETE' THEN 'forget_backtests'
                            ELSE 'defer_backtests' END;
    touched UUID[];
BEGIN
    IF TG_OP = 'INSERT' THEN
        SELECT array_agg(id) INTO touched FROM fresh WHERE status = 'pending';
    ELSIF TG_OP = 'UPDATE' THEN
        touched := ARRAY[NEW.id];
    ELSE
        SELECT array_agg(id) INTO touched FROM gone WHERE status IN ('pending', 'running');
    END IF;
    IF touched IS NOT NULL AND EXISTS (
        SELECT FROM pg_proc AS function, pg_class AS ours
        WHERE function.oid = to_regprocedure(format('%I.%I(uuid[])', queue, called))
          AND ours.oid = TG_RELID
          AND pg_has_role(function.proowner, ours.relowner, 'MEMBER')
    ) THEN
        EXECUTE format('SELECT %I.%I($1)', queue, called) USING touched;
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER "backtests_queue_inserted" AFTER INSERT ON "backtests"
    REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION "tell_backtest_queue"();
CREATE TRIGGER "backtests_queue_updated" AFTER UPDATE ON "backtests"
    FOR EACH ROW
    WHEN (NEW.status = 'pending'
          AND (OLD.status <> 'pending' OR NEW.priority <> OLD.priority))
    EXECUTE FUNCTION "tell_backtest_queue"();
CREATE TRIGGER "backtests_queue_deleted" AFTER DELETE ON "backtests"
    REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION "tell_backtest_queue"();

COMMENT ON TABLE "user_tokens" IS 'Signed tokens that were given to users, and whether they were used';
COMMENT ON TABLE "sign_in_throttles" IS 'Failed sign-ins of late, by the hash of an address';
