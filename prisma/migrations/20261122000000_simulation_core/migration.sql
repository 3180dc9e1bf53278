-- Part 1: as Prisma derives it from schema.prisma.

-- AlterEnum
-- A value that is added cannot be used before the transaction that adds it has ended, and a
-- migration is one transaction: below, types are compared as text.
ALTER TYPE "strategy_type" ADD VALUE 'fixed_weights';
ALTER TYPE "strategy_type" ADD VALUE 'equal_weight';
ALTER TYPE "strategy_type" ADD VALUE 'dual_momentum';
ALTER TYPE "strategy_type" ADD VALUE 'moving_average';
ALTER TYPE "strategy_type" ADD VALUE 'inverse_volatility';
ALTER TYPE "strategy_type" ADD VALUE 'equal_risk_contribution';
ALTER TYPE "strategy_type" ADD VALUE 'volatility_target';
ALTER TYPE "strategy_type" ADD VALUE 'minimum_variance';
ALTER TYPE "strategy_type" ADD VALUE 'maximum_sharpe';
ALTER TYPE "strategy_type" ADD VALUE 'custom';

-- AlterTable
ALTER TABLE "performance_metrics" ADD COLUMN     "correlation" DECIMAL(10,6),
ADD COLUMN     "down_capture" DECIMAL(10,6),
ADD COLUMN     "kurtosis" DECIMAL(10,6),
ADD COLUMN     "money_weighted_return" DECIMAL(10,6),
ADD COLUMN     "omega_ratio" DECIMAL(10,6),
ADD COLUMN     "r_squared" DECIMAL(10,6),
ADD COLUMN     "skewness" DECIMAL(10,6),
ADD COLUMN     "tail_ratio" DECIMAL(10,6),
ADD COLUMN     "turnover" DECIMAL(10,6),
ADD COLUMN     "ulcer_index" DECIMAL(10,6),
ADD COLUMN     "ulcer_performance_index" DECIMAL(10,6),
ADD COLUMN     "up_capture" DECIMAL(10,6);

-- AlterTable
ALTER TABLE "strategies" ADD COLUMN     "implementation" VARCHAR(255),
ADD COLUMN     "parameters_schema" JSONB;


-- Part 2: what schema.prisma cannot say. Each rule is described in docs/database.md.

-- performance_metrics: every column is named among those that take no NaN, which lower bounds let in
ALTER TABLE "performance_metrics"
    DROP CONSTRAINT "performance_metrics_no_nan",
    ADD CONSTRAINT "performance_metrics_no_nan" CHECK (
        "total_return" <> 'NaN'
        AND "annualized_return" <> 'NaN'
        AND "volatility" <> 'NaN'
        AND "sharpe_ratio" <> 'NaN'
        AND "sortino_ratio" <> 'NaN'
        AND "calmar_ratio" <> 'NaN'
        AND "max_drawdown" <> 'NaN'
        AND "ulcer_index" <> 'NaN'
        AND "ulcer_performance_index" <> 'NaN'
        AND "value_at_risk_95" <> 'NaN'
        AND "conditional_value_at_risk_95" <> 'NaN'
        AND "alpha" <> 'NaN'
        AND "beta" <> 'NaN'
        AND "r_squared" <> 'NaN'
        AND "correlation" <> 'NaN'
        AND "information_ratio" <> 'NaN'
        AND "tracking_error" <> 'NaN'
        AND "up_capture" <> 'NaN'
        AND "down_capture" <> 'NaN'
        AND "omega_ratio" <> 'NaN'
        AND "tail_ratio" <> 'NaN'
        AND "skewness" <> 'NaN'
        AND "kurtosis" <> 'NaN'
        AND "win_rate" <> 'NaN'
        AND "money_weighted_return" <> 'NaN'
        AND "turnover" <> 'NaN'
    ),
    ADD CONSTRAINT "performance_metrics_ulcer_index_not_negative" CHECK ("ulcer_index" >= 0),
    -- rounded half to even to six decimals, a float64 just above 1 is 1
    ADD CONSTRAINT "performance_metrics_r_squared_range" CHECK ("r_squared" BETWEEN 0 AND 1),
    ADD CONSTRAINT "performance_metrics_correlation_range" CHECK ("correlation" BETWEEN -1 AND 1),
    ADD CONSTRAINT "performance_metrics_omega_ratio_not_negative" CHECK ("omega_ratio" >= 0),
    ADD CONSTRAINT "performance_metrics_tail_ratio_not_negative" CHECK ("tail_ratio" >= 0),
    ADD CONSTRAINT "performance_metrics_turnover_not_negative" CHECK ("turnover" >= 0);

-- strategies
ALTER TABLE "strategies"
    ADD CONSTRAINT "strategies_implementation_when_custom"
        CHECK (("type"::text = 'custom') = ("implementation" IS NOT NULL)),
    ADD CONSTRAINT "strategies_implementation_not_blank"
        CHECK ("implementation" ~ '[^[:space:]]'),
    ADD CONSTRAINT "strategies_parameters_schema_object"
        CHECK (jsonb_typeof("parameters_schema") = 'object');
