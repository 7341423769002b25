-- table: fact_coverage
-- title: What was tested
-- meaning: how much each signal could look at, and why not at the rest, so that no finding is told apart from no data
-- grain: signal x currency x reason x quarter
-- key: signal, currency, untested, quarter_start
-- period: quarter_start
-- sums: money
-- columns: signal: of dim_signal;
--   currency: of the money, of dim_currency;
--   quarter_start: first day of the analysed quarter, of dim_date;
--   untested: `(tested)`, or why the units were not;
--   unit: what a unit is;
--   units: how many;
--   money: what flows through them
SELECT signal, coalesce(currency, '(none)') AS currency, make_date(CAST(substr(quarter, 1, 4) AS INT), 3 * CAST(substr(quarter, 6, 1) AS INT) - 2, 1) AS quarter_start, coalesce(untested, '(tested)') AS untested, unit, units, money
FROM marts.coverage
