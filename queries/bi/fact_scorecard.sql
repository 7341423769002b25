-- table: fact_scorecard
-- title: Scorecard
-- meaning: whether revenue integrity rests on systems or on people, by quarter
-- grain: measure x system x currency x quarter
-- key: measure, system, currency, quarter_start
-- period: quarter_start
-- columns: measure: its id;
--   measure_title: its name, for people;
--   unit: of `value`;
--   better: `higher` or `lower`, which way is good;
--   system: the source, `(all)` for the whole book;
--   currency: of dim_currency, `(none)` where it counts no money;
--   quarter_start: first day of the analysed quarter, of dim_date;
--   part: numerator;
--   whole: denominator;
--   value: the measure, not to be added up
SELECT measure, title AS measure_title, unit, better, coalesce(system, '(all)') AS system, coalesce(currency, '(none)') AS currency,
       make_date(CAST(substr(quarter, 1, 4) AS INT), 3 * CAST(substr(quarter, 6, 1) AS INT) - 2, 1) AS quarter_start, part, whole, value
FROM marts.scorecard
