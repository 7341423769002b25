-- table: dim_date
-- title: Calendar
-- meaning: every day of the years that the facts touch, without a gap, so that it can be marked as a date table. A fiscal year begins on the first
--   day of the month that `--fiscal-year-start` names and is called after the calendar year in which it ends
-- key: date
-- columns: date: the day;
--   year: calendar year;
--   quarter: calendar quarter as Shortfall names it, such as `2026Q3`;
--   month_start: first day of the month, what monthly facts carry;
--   month_end: first day of the next month, periods are half-open;
--   month_number: 1 to 12;
--   month_name: such as `Jul 2026`;
--   days_in_month: 28 to 31;
--   fiscal_year: such as `FY2027`;
--   fiscal_quarter: such as `FY2027 Q1`;
--   fiscal_month: 1 to 12, counted from the first month of the fiscal year
WITH touched AS (
  SELECT min(month) AS first_day, max(month) AS last_day FROM (
    SELECT month FROM marts.fact_monthly
    UNION ALL SELECT month FROM marts.gap_bridge
    UNION ALL SELECT month FROM marts.finding_evidence
    UNION ALL SELECT first_month FROM marts.finding
    UNION ALL SELECT last_month FROM marts.finding
    UNION ALL SELECT month FROM marts.recovered
    UNION ALL SELECT to_date(substr(quarter, 1, 4) || '-01-01') FROM marts.run)
),
day AS (
  -- Whole calendar years, and the whole fiscal years that overlap them.
  SELECT CAST(unnest(generate_series(
    CASE WHEN $fiscal_start = 1 THEN make_date(CAST(date_part('year', first_day) AS INT), 1, 1) ELSE make_date(CAST(date_part('year', first_day) AS INT) - 1, $fiscal_start, 1) END,
    make_date(CAST(date_part('year', last_day) AS INT) + 1, $fiscal_start, 1) - INTERVAL '1 day',
    INTERVAL '1 day')) AS DATE) AS date
  FROM touched
),
counted AS (
  SELECT date, CAST(date_part('year', date) AS BIGINT) AS year, CAST(date_part('month', date) AS BIGINT) AS month_number,
         CAST(date_trunc('month', date) AS DATE) AS month_start,
         (CAST(date_part('month', date) AS BIGINT) - $fiscal_start + 12) % 12 + 1 AS fiscal_month,
         CAST(date_part('year', date) AS BIGINT) + CASE WHEN $fiscal_start > 1 AND date_part('month', date) >= $fiscal_start THEN 1 ELSE 0 END AS fiscal_year
  FROM day
)
SELECT date, year, year || 'Q' || ((month_number - 1) / 3 + 1) AS quarter, month_start, CAST(month_start + INTERVAL '1 month' AS DATE) AS month_end,
       month_number, to_char(date, '%b %Y') AS month_name,
       CAST(date_part('day', month_start + INTERVAL '1 month' - INTERVAL '1 day') AS BIGINT) AS days_in_month,
       'FY' || fiscal_year AS fiscal_year, 'FY' || fiscal_year || ' Q' || ((fiscal_month - 1) / 3 + 1) AS fiscal_quarter, fiscal_month
FROM counted
