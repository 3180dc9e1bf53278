-- What the triggers of `backtests` call (tell_backtest_queue), and what a worker's sweep calls.
--
-- The server's format() puts the names in: the schema of the queue is %1$I, that of the table
-- `backtests` is %2$I. Everything runs as the owner, whoever inserts a row, with a search_path on
-- which the library's own functions and triggers find their tables.
--
-- A plan that a session has kept from when the tables were small would take hours for many rows, so
-- none is kept where rows may be many.
--
-- Anybody may call some of them for any id, so none believes what it is told: a job is made for a
-- row that is pending, and taken back where there is nothing to run any more.

-- The library looks for other jobs with the same lock at each fetch, and has no index that begins
-- with it: with many that wait, each fetch would read one of its indexes from end to end.
CREATE INDEX IF NOT EXISTS etf_backtest_jobs_lock_idx
    ON %1$I.procrastinate_jobs (lock) WHERE status IN ('todo', 'doing');

-- Pending rows of these ids that have no waiting job get one; a waiting job gets its row's
-- priority, and waits for nothing else. Returns how many were made.
CREATE OR REPLACE FUNCTION %1$I.defer_pending(backtest_ids UUID[]) RETURNS BIGINT
LANGUAGE plpgsql SET search_path = %1$I, pg_temp SET plan_cache_mode = force_custom_plan
AS $etf_backtest$
DECLARE
    made BIGINT;
BEGIN
    INSERT INTO procrastinate_jobs (queue_name, task_name, priority, lock, queueing_lock, args)
    SELECT 'backtests', 'run_backtest', backtest.priority, backtest.id::TEXT, backtest.id::TEXT,
           jsonb_build_object('backtest_id', backtest.id)
    FROM unnest(backtest_ids) AS asked (id)
    JOIN %2$I.backtests AS backtest ON backtest.id = asked.id
    WHERE backtest.status = 'pending'
    ORDER BY backtest.queued_at, backtest.id
    ON CONFLICT (queueing_lock) WHERE status = 'todo' DO NOTHING;
    GET DIAGNOSTICS made = ROW_COUNT;
    IF made = cardinality(backtest_ids) THEN
        RETURN made;
    END IF;

    -- one that is locked is being fetched: too late, and not to be waited for
    UPDATE procrastinate_jobs AS job
    SET priority = waiting.priority, scheduled_at = NULL
    FROM (
        SELECT known.id, backtest.priority
        FROM unnest(backtest_ids) AS asked (id)
        JOIN %2$I.backtests AS backtest ON backtest.id = asked.id
        JOIN procrastinate_jobs AS known
            ON known.queueing_lock = asked.id::TEXT AND known.status = 'todo'
        WHERE backtest.status = 'pending'
          AND (known.priority <> backtest.priority OR known.scheduled_at IS NOT NULL)
        FOR UPDATE OF known SKIP LOCKED
    ) AS waiting
    WHERE job.id = waiting.id;
    RETURN made;
END
$etf_backtest$;

-- As defer_pending, and never an error of which whoever writes the row could know nothing. Where a
-- transaction sees the jobs of its beginning only, others may have made, fetched or changed one
-- since; then that row needs nothing, or the sweep of a worker sees to it.
CREATE OR REPLACE FUNCTION %1$I.defer_backtests(backtest_ids UUID[]) RETURNS VOID
LANGUAGE plpgsql SECURITY DEFINER SET search_path = %1$I, pg_temp AS $etf_backtest$
DECLARE
    backtest_id UUID;
BEGIN
    IF current_setting('transaction_isolation') = 'read committed' THEN
        PERFORM defer_pending(backtest_ids);
        RETURN;
    END IF;
    BEGIN
        PERFORM defer_pending(backtest_ids);
    EXCEPTION WHEN serialization_failure OR unique_violation THEN
        IF cardinality(backtest_ids) > 1 THEN
            FOREACH backtest_id IN ARRAY backtest_ids LOOP
                PERFORM defer_backtests(ARRAY[backtest_id]);
            END LOOP;
        END IF;
    END;
END
$etf_backtest$;

-- Takes back the jobs of rows that are gone, or not to be run: what waits is cancelled, and who
-- runs one is told.
CREATE OR REPLACE FUNCTION %1$I.forget_backtests(backtest_ids UUID[]) RETURNS VOID
LANGUAGE plpgsql SECURITY DEFINER SET search_path = %1$I, pg_temp
SET plan_cache_mode = force_custom_plan
AS $etf_backtest$
DECLARE
    unwanted TEXT[];
BEGIN
    SELECT array_agg(asked.id::TEXT) INTO unwanted
    FROM unnest(backtest_ids) AS asked (id)
    WHERE NOT EXISTS (
        SELECT FROM %2$I.backtests AS backtest
        WHERE backtest.id = asked.id AND backtest.status IN ('pending', 'running')
    );
    UPDATE procrastinate_jobs SET status = 'cancelled'
    WHERE id IN (
        SELECT job.id FROM unnest(unwanted) AS gone (id)
        JOIN procrastinate_jobs AS job ON job.queueing_lock = gone.id AND job.status = 'todo'
        FOR UPDATE OF job SKIP LOCKED
    );
    UPDATE procrastinate_jobs SET abort_requested = true
    WHERE id IN (
        SELECT job.id FROM unnest(unwanted) AS gone (id)
        JOIN procrastinate_jobs AS job ON job.lock = gone.id AND job.status = 'doing'
        WHERE NOT job.abort_requested AND job.queue_name = 'backtests'
        FOR UPDATE OF job SKIP LOCKED
    );
EXCEPTION WHEN serialization_failure THEN
    -- somebody has touched one since this transaction began; without its row it does nothing
    RETURN;
END
$etf_backtest$;

-- What whoever cancels a backtest calls afterwards; the row decides here, too.
CREATE OR REPLACE FUNCTION %1$I.cancel_backtests(backtest_ids UUID[]) RETURNS VOID
LANGUAGE plpgsql SECURITY DEFINER SET search_path = %1$I, pg_temp AS $etf_backtest$
BEGIN
    PERFORM forget_backtests(backtest_ids);
END
$etf_backtest$;

-- How many workers have said within the last minute that they are there.
CREATE OR REPLACE FUNCTION %1$I.live_workers() RETURNS BIGINT
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = %1$I, pg_temp AS $etf_backtest$
BEGIN
    RETURN (
        SELECT count(*) FROM procrastinate_workers
        WHERE last_heartbeat > statement_timestamp() - INTERVAL '1 minute'
    );
END
$etf_backtest$;

-- Every pending row without a job gets one; returns how many. Rows that somebody is changing are
-- left for the next time, so that nobody waits.
CREATE OR REPLACE FUNCTION %1$I.defer_waiting() RETURNS BIGINT
LANGUAGE plpgsql SECURITY DEFINER SET search_path = %1$I, pg_temp AS $etf_backtest$
DECLARE
    forgotten UUID[];
BEGIN
    -- a statement without parameters keeps its plan unless it is new each time
    EXECUTE $statement$
        SELECT array_agg(waiting.id)
        FROM (
            SELECT backtest.id FROM %2$I.backtests AS backtest
            WHERE backtest.status = 'pending'
              AND NOT EXISTS (
                  SELECT FROM procrastinate_jobs AS job
                  WHERE job.queueing_lock = backtest.id::TEXT AND job.status = 'todo'
              )
              AND NOT EXISTS (
                  SELECT FROM procrastinate_jobs AS job
                  WHERE job.lock = backtest.id::TEXT AND job.status = 'doing'
              )
            FOR NO KEY UPDATE OF backtest SKIP LOCKED
        ) AS waiting
    $statement$ INTO forgotten;
    IF forgotten IS NULL THEN
        RETURN 0;
    END IF;
    RETURN defer_pending(forgotten);
END
$etf_backtest$;

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA %1$I FROM PUBLIC;
GRANT USAGE ON SCHEMA %1$I TO PUBLIC;
GRANT EXECUTE ON FUNCTION
    %1$I.defer_backtests(UUID[]), %1$I.forget_backtests(UUID[]), %1$I.cancel_backtests(UUID[]),
    %1$I.live_workers()
TO PUBLIC;
