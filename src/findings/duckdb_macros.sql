-- What signals call and DuckDB lacks. Decimals of nine digits on each side multiply exactly: the parts of a product that
-- matter are taken one by one. A quotient of doubles is put right by its remainder.
CREATE OR REPLACE MACRO exact_product(a, b) AS CAST(
  CAST(a AS DECIMAL(38, 9)) * CAST(b AS DECIMAL(38, 9))
  + CAST(a AS DECIMAL(38, 9)) * CAST((CAST(b AS DECIMAL(38, 18)) - CAST(b AS DECIMAL(38, 9))) * 1000000000 AS DECIMAL(38, 9)) * 0.000000001
  + CAST(b AS DECIMAL(38, 9)) * CAST((CAST(a AS DECIMAL(38, 18)) - CAST(a AS DECIMAL(38, 9))) * 1000000000 AS DECIMAL(38, 9)) * 0.000000001
  AS DECIMAL(38, 18));
CREATE OR REPLACE MACRO put_right(quotient, a, b) AS
  quotient + CAST(CAST(CAST(a AS DECIMAL(38, 18)) - exact_product(quotient, b) AS DOUBLE) / CAST(b AS DOUBLE) AS DECIMAL(38, 18));
CREATE OR REPLACE MACRO exact_quotient(a, b) AS CASE WHEN b <> 0 THEN
  put_right(CAST(CAST(CAST(a AS DOUBLE) / CAST(b AS DOUBLE) AS DECIMAL(38, 9)) AS DECIMAL(38, 18)), a, b) END;
CREATE OR REPLACE MACRO to_char(instant, format) AS strftime(instant, format);

-- The kernels run_length and heaping, over one value a month.
CREATE OR REPLACE MACRO series(x, y) AS
  list({'x': x, 'y': CAST(y AS DOUBLE)} ORDER BY x) FILTER (y IS NOT NULL);
CREATE OR REPLACE MACRO last_place(s, differs) AS
  coalesce(list_max(list_filter(range(1, len(s) + 1), lambda i: differs[i])), 0);
CREATE OR REPLACE MACRO last_run(s, place) AS {'start': s[place].x, 'length': len(s) - place + 1};
CREATE OR REPLACE MACRO run_of(s) AS last_run(s, greatest(1, last_place(s, list_transform(range(1, len(s) + 1), lambda i:
  i > 1 AND abs(s[i].y - s[i - 1].y) > 1e-9 * greatest(abs(s[i].y), abs(s[i - 1].y))))));
CREATE OR REPLACE MACRO run_length(x, y) AS run_of(series(x, y));
CREATE OR REPLACE MACRO sizes(s) AS
  list_distinct(list_filter(list_transform(s, lambda point: abs(point.y)), lambda size: size BETWEEN 20 AND 9007199254740992));
CREATE OR REPLACE MACRO multiples(values_, of_) AS len(list_filter(values_, lambda value: value % of_ = 0));
CREATE OR REPLACE MACRO at_least(k, n, chance) AS CASE WHEN k = 0 THEN 1.0 ELSE
  list_sum(list_transform(range(k, n + 1), lambda i:
    exp(lgamma(n + 1) - lgamma(i + 1) - lgamma(n - i + 1)) * power(chance, i) * power(1 - chance, n - i))) END;
CREATE OR REPLACE MACRO scales() AS [10, 50, 100, 500, 1000, 5000, 10000, 50000, 100000, 500000, 1000000];
CREATE OR REPLACE MACRO place_of(s, scale) AS last_place(s, list_transform(s, lambda point:
  NOT (abs(point.y) BETWEEN greatest(20, 4 * scale) AND 9007199254740992 AND point.y % scale = 0)));
CREATE OR REPLACE MACRO look_from(s, k, scale, place) AS {
  'p': power(2.0, k) / power(scale, len(sizes(s[place + 1:]))), 'coarse': scale, 'coarse_stretch': len(sizes(s[place + 1:])),
  'coarse_start': s[place + 1].x};
CREATE OR REPLACE MACRO best_look(s) AS list_sort(list_filter(
  list_transform(range(1, 12), lambda k: look_from(s, k, scales()[k], place_of(s, scales()[k]))), lambda look: look.coarse_stretch >= 2))[1];
CREATE OR REPLACE MACRO roundness(all_, last_, start_, look) AS {
  'n': len(all_), 'tens': multiples(all_, 10), 'fives': multiples(all_, 5), 'stretch': len(last_), 'start': start_,
  'coarse': look.coarse, 'coarse_stretch': coalesce(look.coarse_stretch, 0), 'coarse_start': look.coarse_start,
  'p': CASE WHEN len(all_) >= 3 THEN least(1.0, 4 * least(at_least(multiples(all_, 10), len(all_), 0.1),
         at_least(multiples(all_, 5), len(all_), 0.2), power(0.2, len(last_)), coalesce(look.p, 1.0))) END};
CREATE OR REPLACE MACRO stretch_from(s, place) AS roundness(sizes(s), sizes(s[place + 1:]), s[place + 1].x, best_look(s));
CREATE OR REPLACE MACRO heaping_of(s) AS stretch_from(s, last_place(s, list_transform(s, lambda point:
  NOT (abs(point.y) BETWEEN 20 AND 9007199254740992 AND point.y % 5 = 0))));
CREATE OR REPLACE MACRO heaping(x, y) AS heaping_of(series(x, y));
