-- fact: late_month
-- grain: customer x service x month x currency, months of the year up to the quarter that lack revenue and whose usage changed after the cut-off
-- meaning: how much of what should have been billed rests on what became known after the month was billed (facts/billing_cutoff.sql): usage that
--   is new after the last day on which it was billable (`late`), usage or cost that was restated after the invoice (`corrected`), less what
--   was billed since, of late usage first. The cell is rated again by the same terms and contract with its deliveries as they stood then, and
--   as they would stand with what is new alone; all other cells are never rated twice. Where no price is known, a unit is worth what the
--   pair's units have earned. What was taken back since makes what came late smaller. Of a month whose level began before that year
--   nothing is told
-- reads: facts.fact_monthly, facts.closed_month, facts.yield_history, facts.billing_cutoff, facts.usage_keyed, facts.usage_month, facts.fx_month, facts.contract_month, facts.terms_month,
--   facts.lifecycle_month
-- Where no contract prices a unit: the invoice's own price, if it counts like the vendor, as the pair's yield is what came late spread over all.
WITH priced AS (
  SELECT fact.*, CASE WHEN fact.expected_revenue IS NULL THEN coalesce(
           CASE WHEN fact.delivered_quantity BETWEEN 0.5 * fact.billed_quantity AND 2.0 * fact.billed_quantity THEN fact.billed_price END,
           yield.revenue_per_unit) END AS unit_yield
  FROM facts.fact_monthly AS fact
  LEFT JOIN facts.yield_history AS yield
    ON fact.customer_key = yield.customer_key AND fact.service_key = yield.service_key AND fact.currency = yield.currency
  WHERE fact.month BETWEEN $year_start AND $last_month AND NOT fact.is_trial
),
short AS (
  SELECT fact.customer_key, fact.service_key, fact.month, fact.currency, cutoff.usage_cutoff_date AS cutoff_date, greatest(cutoff.cutoff_date, fact.month) AS billed_on,
         coalesce(fact.expected_revenue, round_money(exact_product(fact.delivered_quantity, fact.unit_yield), fact.currency)) AS expected_revenue,
         fact.unit_yield, coalesce(fact.revenue, 0) + CASE WHEN fact.expected_revenue IS NULL THEN greatest(coalesce(fact.one_off_revenue, 0), 0) ELSE 0 END AS revenue,
         greatest(coalesce(cutoff.rebilled, 0), 0) AS rebilled
  FROM priced AS fact
  JOIN facts.closed_month AS closed ON fact.customer_key = closed.customer_key AND fact.service_key = closed.service_key AND fact.month <= closed.month
  JOIN facts.billing_cutoff AS cutoff
    ON fact.customer_key = cutoff.customer_key AND fact.service_key = cutoff.service_key AND fact.month = cutoff.month
    AND fact.currency = cutoff.currency
  WHERE cutoff.usage_cutoff_date IS NOT NULL
    AND coalesce(fact.expected_revenue, exact_product(fact.delivered_quantity, fact.unit_yield)) > coalesce(fact.revenue, 0)
),
dated AS (
  SELECT usage.*, CASE WHEN usage.new_on > usage.month THEN short.cutoff_date ELSE short.billed_on END AS settled_on
  FROM facts.usage_keyed AS usage
  JOIN short ON usage.customer_key = short.customer_key AND usage.service_key = short.service_key AND usage.month = short.month
  WHERE usage.known_on IS NOT NULL
),
version AS (
  SELECT *, CAST(known_on <= settled_on AND (gone_on IS NULL OR gone_on > settled_on) AS INT) - CAST(gone_on IS NULL AS INT) AS then_less_now,
         coalesce(gone_on IS NULL AND new_on > settled_on, false) AS is_new
  FROM dated
),
changed AS (SELECT * FROM version WHERE then_less_now <> 0),
cell AS (
  SELECT customer_key, service_key, month, max(CASE WHEN is_new THEN known_on END) AS late_on, max(CASE WHEN NOT is_new THEN known_on END) AS corrected_on
  FROM changed GROUP BY customer_key, service_key, month
),
-- How often a row counts: as things stood at the cut-off, and with what is new besides.
counted AS (
  SELECT usage.customer_key, usage.service_key, usage.month, usage.currency, measure, category, from_day, to_day, quantity, cost,
         1 AS then_times, 1 AS with_new_times
  FROM facts.usage_month AS usage
  JOIN cell ON usage.customer_key = cell.customer_key AND usage.service_key = cell.service_key AND usage.month = cell.month
  UNION ALL
  SELECT customer_key, service_key, month, currency, measure, category, from_day, to_day, quantity, cost,
         then_less_now, CASE WHEN is_new THEN 0 ELSE then_less_now END
  FROM changed
),
signed AS (
  SELECT *, CASE then_times WHEN 1 THEN quantity WHEN -1 THEN -quantity END AS quantity_then,
         CASE with_new_times WHEN 1 THEN quantity WHEN -1 THEN -quantity END AS quantity_with_new,
         CASE then_times WHEN 1 THEN cost WHEN -1 THEN -cost END AS cost_then,
         CASE with_new_times WHEN 1 THEN cost WHEN -1 THEN -cost END AS cost_with_new
  FROM counted
),
delivered AS (
  SELECT customer_key, service_key, month,
         sum(CASE WHEN measure = 'flow' AND category = 'usage' THEN quantity_then END) AS flow_then,
         sum(CASE WHEN measure = 'flow' AND category = 'usage' THEN quantity_with_new END) AS flow_with_new,
         array_agg(named_struct('from_day', from_day, 'to_day', to_day, 'quantity', quantity_then))
           FILTER (WHERE measure = 'level' AND category = 'usage' AND quantity_then IS NOT NULL) AS levels_then,
         array_agg(named_struct('from_day', from_day, 'to_day', to_day, 'quantity', quantity_with_new))
           FILTER (WHERE measure = 'level' AND category = 'usage' AND quantity_with_new IS NOT NULL) AS levels_with_new
  FROM signed GROUP BY customer_key, service_key, month
),
cost_by_currency AS (
  SELECT customer_key, service_key, month, currency, sum(cost_then) AS cost_then, sum(cost_with_new) AS cost_with_new
  FROM signed WHERE cost IS NOT NULL
  GROUP BY customer_key, service_key, month, currency
),
own_cost AS (
  SELECT cost.customer_key, cost.service_key, cost.month, sum(coalesce(exact_product(cost.cost_then, fx.rate), cost.cost_then)) AS cost_then,
         sum(coalesce(exact_product(cost.cost_with_new, fx.rate), cost.cost_with_new)) AS cost_with_new
  FROM cost_by_currency AS cost
  JOIN short ON cost.customer_key = short.customer_key AND cost.service_key = short.service_key AND cost.month = short.month
  LEFT JOIN facts.fx_month AS fx ON cost.currency = fx.from_currency AND short.currency = fx.to_currency AND cost.month = fx.month
  WHERE cost.currency = short.currency OR fx.rate IS NOT NULL
  GROUP BY cost.customer_key, cost.service_key, cost.month
),
rated AS (
  SELECT short.customer_key, short.service_key, short.month, short.currency, short.cutoff_date, short.billed_on, short.expected_revenue, short.rebilled, short.revenue, short.unit_yield,
         cell.late_on, cell.corrected_on,
         rate_month(short.month, short.currency, delivered.flow_then, delivered.levels_then, contract.lines, terms.terms, lifecycle.active,
                             lifecycle.suspended, coalesce(lifecycle.is_complete, false), own_cost.cost_then, NULL) AS rate_then,
         rate_month(short.month, short.currency, delivered.flow_with_new, delivered.levels_with_new, contract.lines, terms.terms,
                             lifecycle.active, lifecycle.suspended, coalesce(lifecycle.is_complete, false), own_cost.cost_with_new,
                             NULL) AS rate_with_new
  FROM cell
  JOIN short ON cell.customer_key = short.customer_key AND cell.service_key = short.service_key AND cell.month = short.month
  JOIN delivered
    ON cell.customer_key = delivered.customer_key AND cell.service_key = delivered.service_key AND cell.month = delivered.month
  LEFT JOIN own_cost ON cell.customer_key = own_cost.customer_key AND cell.service_key = own_cost.service_key AND cell.month = own_cost.month
  LEFT JOIN facts.contract_month AS contract
    ON cell.customer_key = contract.customer_key AND cell.service_key = contract.service_key AND cell.month = contract.month
  LEFT JOIN facts.terms_month AS terms
    ON cell.customer_key = terms.customer_key AND cell.service_key = terms.service_key AND cell.month = terms.month
  LEFT JOIN facts.lifecycle_month AS lifecycle
    ON cell.customer_key = lifecycle.customer_key AND cell.service_key = lifecycle.service_key AND cell.month = lifecycle.month
),
worth AS (
  SELECT *,
         coalesce(CASE WHEN unit_yield IS NULL THEN rate_then['expected']
                       ELSE round_money(exact_product(rate_then['delivered'], unit_yield), currency) END, 0) AS expected_then,
         coalesce(CASE WHEN unit_yield IS NULL THEN rate_with_new['expected']
                       ELSE round_money(exact_product(rate_with_new['delivered'], unit_yield), currency) END, 0) AS expected_with_new
  FROM rated
),
owed AS (
  SELECT *, expected_with_new - expected_then AS new_owed, expected_revenue - expected_with_new AS restated_owed FROM worth
),
-- One of the two may be negative: it makes the other smaller.
netted AS (
  SELECT *, greatest(CASE WHEN restated_owed < 0 THEN new_owed + restated_owed ELSE new_owed END, 0) AS late_owed,
         greatest(CASE WHEN new_owed < 0 THEN new_owed + restated_owed ELSE restated_owed END, 0) AS corrected_owed
  FROM owed
)
SELECT customer_key, service_key, month, currency, cutoff_date, billed_on, expected_then, expected_revenue AS expected, revenue AS billed,
       unit_yield, late_on, corrected_on,
       greatest(late_owed - rebilled, 0) AS late,
       greatest(corrected_owed - greatest(rebilled - late_owed, 0), 0) AS corrected
FROM netted
