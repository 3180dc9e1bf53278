-- etf_info has the newest facts of a fund and etf_facts all that was ever stated, with dates. Triggers
-- keep the two in step, whoever writes to which:
--
-- What is written to etf_info is stated in etf_facts: an insert, or an update that moves as_of_date,
-- states all facts that are not null as of that date; an update that leaves as_of_date states what it
-- changed as of today, for nobody said that it was so before. A null is silence; a fact that an update
-- makes null without moving as_of_date is withdrawn, so that the statement before holds again. An end
-- is stated as of delisted_date; a fund has one, so what was said of another, or of life after it, is
-- withdrawn. That a new row is active is nobody's word, but a default, and is not stated.
--
-- What is in etf_facts decides etf_info: of each fact the last statement that is not of the future
-- (where there is none, the first), and as_of_date and source of the last of these; the status stated
-- last, and the first day of delisting. So an older statement, whenever it is written, changes no
-- newer figure.
--
-- Names are qualified by the trigger's own schema, so that a session with any search_path may write.

-- What etf_info says today follows from etf_facts.
CREATE FUNCTION "resolve_etf_facts"("in_schema" TEXT, "of_symbols" TEXT[]) RETURNS VOID
LANGUAGE plpgsql AS $$
DECLARE
    -- where the day begins first: a client there may be a date ahead of this server
    today DATE := (now() AT TIME ZONE 'UTC' + interval '14 hours')::date;
BEGIN
    -- one writer of a fund at a time; the next statement sees what the one before has committed
    EXECUTE format(
        'SELECT 1 FROM %I.etf_info WHERE symbol = ANY($1) ORDER BY symbol FOR NO KEY UPDATE', in_schema
    ) USING of_symbols;
    EXECUTE format(
        'WITH stated AS ('
        ' SELECT touched.symbol AS of_symbol, facts.*,'
        '        num_nonnulls(expense_ratio, assets_under_management, category,'
        '                     benchmark_index) AS figures,'
        '        row_number() OVER (ORDER BY valid_from > $2, abs(valid_from - $2)) AS place'
        ' FROM unnest($1) AS touched (symbol) LEFT JOIN %1$I.etf_facts AS facts USING (symbol)'
        '), newest AS ('
        ' SELECT of_symbol,'
        '        (array_agg(expense_ratio ORDER BY place)'
        '             FILTER (WHERE expense_ratio IS NOT NULL))[1] AS expense_ratio,'
        '        (array_agg(assets_under_management ORDER BY place)'
        '             FILTER (WHERE assets_under_management IS NOT NULL))[1]'
        '             AS assets_under_management,'
        '        (array_agg(category ORDER BY place)'
        '             FILTER (WHERE category IS NOT NULL))[1] AS category,'
        '        (array_agg(benchmark_index ORDER BY place)'
        '             FILTER (WHERE benchmark_index IS NOT NULL))[1] AS benchmark_index,'
        '        count(*) FILTER (WHERE figures > 0) > 0 AS dated,'
        '        (array_agg(valid_from ORDER BY place) FILTER (WHERE figures > 0))[1] AS as_of_date,'
        '        (array_agg(source ORDER BY place) FILTER (WHERE figures > 0))[1] AS source,'
        '        coalesce((array_agg(status ORDER BY valid_from DESC)'
        '             FILTER (WHERE status IS NOT NULL))[1], ''active'') AS status,'
        '        min(valid_from) FILTER (WHERE status = ''delisted'') AS first_delisted'
        ' FROM stated GROUP BY of_symbol'
        '), decided AS ('
        ' SELECT fund.id, newest.expense_ratio, newest.assets_under_management, newest.category,'
        '        newest.benchmark_index, newest.status,'
        '        CASE newest.status WHEN ''delisted'' THEN first_delisted END AS delisted_date,'
        '        CASE WHEN dated THEN newest.as_of_date ELSE fund.as_of_date END AS as_of_date,'
        '        CASE WHEN dated THEN newest.source ELSE fund.source END AS source'
        ' FROM newest JOIN %1$I.etf_info AS fund ON fund.symbol = of_symbol'
        ')'
        ' UPDATE %1$I.etf_info AS fund SET'
        '   expense_ratio = decided.expense_ratio,'
        '   assets_under_management = decided.assets_under_management,'
        '   category = decided.category,'
        '   benchmark_index = decided.benchmark_index,'
        '   status = decided.status,'
        '   delisted_date = decided.delisted_date,'
        '   as_of_date = decided.as_of_date,'
        '   source = decided.source'
        ' FROM decided'
        ' WHERE fund.id = decided.id'
        ' AND (fund.expense_ratio, fund.assets_under_management, fund.category,'
        '      fund.benchmark_index, fund.status, fund.delisted_date, fund.as_of_date, fund.source)'
        '     IS DISTINCT FROM'
        '     (decided.expense_ratio, decided.assets_under_management, decided.category,'
        '      decided.benchmark_index, decided.status, decided.delisted_date, decided.as_of_date,'
        '      decided.source)',
        in_schema
    ) USING of_symbols, today;
END
$$;

-- Takes one fact out of statements; of a statement that said nothing else nothing remains.
CREATE FUNCTION "withdraw_etf_fact"("in_schema" TEXT, "fact" TEXT, "statements" UUID[]) RETURNS VOID
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format(
        'DELETE FROM %I.etf_facts WHERE id = ANY($1) AND num_nonnulls(expense_ratio,'
        ' assets_under_management, category, benchmark_index, status) = 1', in_schema
    ) USING statements;
    EXECUTE format('UPDATE %I.etf_facts SET %I = NULL WHERE id = ANY($1)', in_schema, fact)
        USING statements;
END
$$;

CREATE FUNCTION "state_etf_facts"() RETURNS TRIGGER LANGUAGE plpgsql AS $$
DECLARE
    today DATE := (now() AT TIME ZONE 'UTC')::date;
    -- null where the row is new
    before JSONB := coalesce(to_jsonb(OLD), '{}');
    after JSONB := to_jsonb(NEW);
    whole BOOLEAN := TG_OP = 'INSERT' OR NEW.as_of_date IS DISTINCT FROM OLD.as_of_date;
    said_by TEXT := CASE WHEN whole OR NEW.source IS DISTINCT FROM OLD.source THEN NEW.source END;
    statement JSONB := '{}';
    fact TEXT;
    withdrawn UUID[];
BEGIN
    IF current_setting('etf_backtest.resolving_etf_facts', true) = 'on' THEN
        RETURN NULL;
    END IF;
    PERFORM set_config('etf_backtest.resolving_etf_facts', 'on', true);

    FOREACH fact IN ARRAY
        ARRAY['expense_ratio', 'assets_under_management', 'category', 'benchmark_index'] LOOP
        IF NOT whole AND after ->> fact IS NULL AND before ->> fact IS NOT NULL THEN
            EXECUTE format(
                'SELECT ARRAY(SELECT id FROM %I.etf_facts WHERE symbol = $1 AND %I IS NOT NULL'
                ' ORDER BY valid_from > $2, abs(valid_from - $2) LIMIT 1)', TG_TABLE_SCHEMA, fact
            ) INTO withdrawn USING NEW.symbol, today + 1;
            EXECUTE format('SELECT %I.withdraw_etf_fact($1, $2, $3)', TG_TABLE_SCHEMA)
                USING TG_TABLE_SCHEMA::text, fact, withdrawn;
        ELSIF after ->> fact IS NOT NULL
              AND (whole OR after ->> fact IS DISTINCT FROM before ->> fact) THEN
            statement := statement || jsonb_build_object(fact, after -> fact);
        END IF;
    END LOOP;
    IF statement <> '{}' THEN
        EXECUTE format(
            'INSERT INTO %1$I.etf_facts AS stored (symbol, valid_from, expense_ratio,'
            ' assets_under_management, category, benchmark_index, source)'
            ' SELECT $1, $2, said.expense_ratio, said.assets_under_management, said.category,'
            ' said.benchmark_index, $4'
            ' FROM jsonb_populate_record(NULL::%1$I.etf_facts, $3) AS said'
            ' ON CONFLICT (symbol, valid_from) DO UPDATE SET'
            ' expense_ratio = coalesce(excluded.expense_ratio, stored.expense_ratio),'
            ' assets_under_management ='
            '     coalesce(excluded.assets_under_management, stored.assets_under_management),'
            ' category = coalesce(excluded.category, stored.category),'
            ' benchmark_index = coalesce(excluded.benchmark_index, stored.benchmark_index),'
            ' source = coalesce(excluded.source, stored.source)',
            TG_TABLE_SCHEMA
        ) USING
            NEW.symbol,
            CASE WHEN whole THEN coalesce(NEW.as_of_date, today)
                 ELSE greatest(OLD.as_of_date, today) END,
            statement,
            said_by;
    END IF;

    IF (NEW.status, NEW.delisted_date)
       IS DISTINCT FROM (coalesce(OLD.status, 'active'), OLD.delisted_date) THEN
        EXECUTE format(
            'SELECT ARRAY(SELECT id FROM %I.etf_facts WHERE symbol = $1'
            ' AND (status = ''delisted'' OR status = ''active'' AND valid_from >= $2))',
            TG_TABLE_SCHEMA
        ) INTO withdrawn USING NEW.symbol, NEW.delisted_date;
        EXECUTE format('SELECT %I.withdraw_etf_fact($1, $2, $3)', TG_TABLE_SCHEMA)
            USING TG_TABLE_SCHEMA::text, 'status'::text, withdrawn;
        IF NEW.status = 'delisted' THEN
            EXECUTE format(
                'INSERT INTO %I.etf_facts AS stored (symbol, valid_from, status, source)'
                ' VALUES ($1, $2, $3, $4) ON CONFLICT (symbol, valid_from) DO UPDATE'
                ' SET status = excluded.status, source = coalesce(stored.source, excluded.source)',
                TG_TABLE_SCHEMA
            ) USING NEW.symbol, NEW.delisted_date, NEW.status, said_by;
        END IF;
    END IF;

    EXECUTE format('SELECT %I.resolve_etf_facts($1, $2)', TG_TABLE_SCHEMA)
        USING TG_TABLE_SCHEMA::text, ARRAY[NEW.symbol]::text[];
    PERFORM set_config('etf_backtest.resolving_etf_facts', '', true);
    RETURN NULL;
END
$$;

CREATE FUNCTION "show_newest_etf_facts"() RETURNS TRIGGER LANGUAGE plpgsql AS $$
DECLARE
    touched TEXT[];
BEGIN
    IF current_setting('etf_backtest.resolving_etf_facts', true) = 'on' THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'INSERT' THEN
        SELECT array_agg(DISTINCT symbol) INTO touched FROM new_rows;
    ELSIF TG_OP = 'DELETE' THEN
        SELECT array_agg(DISTINCT symbol) INTO touched FROM old_rows;
    ELSE
        SELECT array_agg(symbol) INTO touched
        FROM (SELECT symbol FROM old_rows UNION SELECT symbol FROM new_rows) AS both_sides;
    END IF;
    IF touched IS NOT NULL THEN
        PERFORM set_config('etf_backtest.resolving_etf_facts', 'on', true);
        EXECUTE format('SELECT %I.resolve_etf_facts($1, $2)', TG_TABLE_SCHEMA)
            USING TG_TABLE_SCHEMA::text, touched;
        PERFORM set_config('etf_backtest.resolving_etf_facts', '', true);
    END IF;
    RETURN NULL;
END
$$;

-- What is stored already was true on its date, or today where there is none.
UPDATE "etf_info" SET "as_of_date" = ("updated_at" AT TIME ZONE 'UTC')::date
WHERE "as_of_date" IS NULL
    AND num_nonnulls("expense_ratio", "assets_under_management", "category", "benchmark_index") > 0;
INSERT INTO "etf_facts" ("symbol", "valid_from", "expense_ratio", "assets_under_management",
                         "category", "benchmark_index", "source")
SELECT "symbol", "as_of_date", "expense_ratio", "assets_under_management", "category",
       "benchmark_index", "source"
FROM "etf_info"
WHERE num_nonnulls("expense_ratio", "assets_under_management", "category", "benchmark_index") > 0
ON CONFLICT DO NOTHING;
INSERT INTO "etf_facts" ("symbol", "valid_from", "status", "source")
SELECT "symbol", "delisted_date", "status", "source" FROM "etf_info" WHERE "status" = 'delisted'
ON CONFLICT ("symbol", "valid_from") DO UPDATE SET "status" = excluded."status";

CREATE TRIGGER "etf_info_state_facts" AFTER INSERT ON "etf_info"
    FOR EACH ROW
    WHEN (num_nonnulls(NEW.expense_ratio, NEW.assets_under_management, NEW.category,
                       NEW.benchmark_index) > 0 OR NEW.status = 'delisted')
    EXECUTE FUNCTION "state_etf_facts"();
CREATE TRIGGER "etf_info_state_changed_facts" AFTER UPDATE ON "etf_info"
    FOR EACH ROW
    WHEN ((OLD.expense_ratio, OLD.assets_under_management, OLD.category, OLD.benchmark_index,
           OLD.status, OLD.delisted_date, OLD.as_of_date)
          IS DISTINCT FROM
          (NEW.expense_ratio, NEW.assets_under_management, NEW.category, NEW.benchmark_index,
           NEW.status, NEW.delisted_date, NEW.as_of_date))
    EXECUTE FUNCTION "state_etf_facts"();
CREATE TRIGGER "etf_facts_show_newest_of_inserted" AFTER INSERT ON "etf_facts"
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION "show_newest_etf_facts"();
CREATE TRIGGER "etf_facts_show_newest_of_updated" AFTER UPDATE ON "etf_facts"
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION "show_newest_etf_facts"();
CREATE TRIGGER "etf_facts_show_newest_of_deleted" AFTER DELETE ON "etf_facts"
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION "show_newest_etf_facts"();
