-- Make market_data a table of 8 partitions by the hash of its symbol, with the rows it has.
--
--     psql "$DATABASE_URL" -v ON_ERROR_STOP=1 -f docs/scaling/partition_market_data.sql
--
-- For another number of partitions change it in two places. One transaction: it takes a lock for its
-- whole time, in which prices are neither read nor written, and room for a second copy of the table.
-- What is then different, and what it brings, is in docs/scaling.md. Run by a test on PostgreSQL 15
-- and 18.

BEGIN;

LOCK TABLE "market_data" IN ACCESS EXCLUSIVE MODE;

-- The migrations' own triggers, as they are in this database: what they are is said once.
CREATE TEMPORARY TABLE "triggers_of_prices" ON COMMIT DROP AS
SELECT tgname AS name, pg_get_triggerdef(oid) AS definition
FROM pg_trigger WHERE tgrelid = 'market_data'::regclass AND NOT tgisinternal;

DO $do$
BEGIN
    IF (SELECT relkind FROM pg_class WHERE oid = 'market_data'::regclass) = 'p' THEN
        RAISE EXCEPTION 'market_data has partitions already';
    END IF;
END
$do$;

ALTER TABLE "market_data" RENAME TO "market_data_whole";
ALTER INDEX "market_data_pkey" RENAME TO "market_data_whole_pkey";
ALTER INDEX "market_data_symbol_date_key" RENAME TO "market_data_whole_symbol_date_key";

CREATE TABLE "market_data" (
    LIKE "market_data_whole" INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE
        INCLUDING COMMENTS
) PARTITION BY HASH ("symbol");

DO $do$
BEGIN
    FOR n IN 0..7 LOOP  -- the number of partitions, less 1
        EXECUTE format(
            'CREATE TABLE market_data_%s PARTITION OF market_data'
            ' FOR VALUES WITH (MODULUS 8, REMAINDER %s)', n, n
        );
    END LOOP;
END
$do$;

INSERT INTO "market_data" SELECT * FROM "market_data_whole" ORDER BY "symbol", "date";

-- A unique index of a partitioned table has to have the column that it is partitioned by.
ALTER TABLE "market_data" ADD CONSTRAINT "market_data_pkey" PRIMARY KEY ("id", "symbol");
CREATE UNIQUE INDEX "market_data_symbol_date_key" ON "market_data" ("symbol", "date");

-- The lock of a transaction that writes prices has the number of the table, which is a new one.
DROP TABLE "market_data_whole";

DO $do$
DECLARE
    definition TEXT;
BEGIN
    FOR definition IN SELECT triggers.definition FROM "triggers_of_prices" AS triggers LOOP
        EXECUTE definition;
    END LOOP;
END
$do$;

-- A statement that names a partition would get past the triggers that keep what prices were.
CREATE FUNCTION "refuse_partition"() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % is refused: what prices were would not be kept', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'check_violation',
              HINT = 'Write to market_data.',
              SCHEMA = TG_TABLE_SCHEMA,
              TABLE = TG_TABLE_NAME,
              CONSTRAINT = 'market_data_by_its_name';
END
$$;

DO $do$
BEGIN
    FOR n IN 0..7 LOOP
        EXECUTE format(
            'CREATE TRIGGER market_data_by_its_name BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE'
            ' ON market_data_%s FOR EACH STATEMENT EXECUTE FUNCTION refuse_partition()', n
        );
    END LOOP;
END
$do$;

COMMENT ON TABLE "market_data" IS
    'One session of one symbol; close is as traded, adjusted_close as the vendor adjusted it';

COMMIT;

ANALYZE "market_data";
