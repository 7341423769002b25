-- fact: trend_input
-- grain: customer x service x month x currency, the months of the window
-- meaning: the series that trend signals test, with everything that contracts explain priced out beforehand
-- reads: facts.fact_monthly, facts.closed_month, facts.billed_month, facts.cost_month
WITH levelled AS (
  SELECT fact.*, fact.revenue + coalesce(line.calendar, 0) AS levelled_revenue,
         fact.cost_original + coalesce(vendor.calendar, 0) AS levelled_cost,
         greatest(fact.delivered_quantity, coalesce(fact.reported_quantity, 0)) AS cost_units
  FROM facts.fact_monthly AS fact
  JOIN facts.closed_month AS closed ON fact.customer_key = closed.customer_key AND fact.service_key = closed.service_key AND fact.month <= closed.month
  LEFT JOIN facts.billed_month AS line
    ON fact.customer_key = line.customer_key AND fact.service_key = line.service_key AND fact.month = line.month AND fact.currency = line.currency
  LEFT JOIN facts.cost_month AS vendor
    ON fact.customer_key = vendor.customer_key AND fact.service_key = vendor.service_key AND fact.month = vendor.month
    AND fact.cost_currency = vendor.currency
  WHERE fact.month BETWEEN $window_start AND $last_month AND NOT fact.is_trial
),
stepped AS (
  SELECT *, lag(contract_price) OVER (PARTITION BY customer_key, service_key, currency ORDER BY month) AS price_before,
         exact_quotient(levelled_cost, nullif(cost_units, 0)) AS unit_cost,
         lag(exact_quotient(levelled_cost, nullif(cost_units, 0))) OVER (PARTITION BY customer_key, service_key, currency ORDER BY month) AS unit_cost_before,
         last_value(price_model) OVER (PARTITION BY customer_key, service_key, currency ORDER BY month
                                       ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS model_now
  FROM levelled
),
-- A price a month that is billed from the 15th to the 15th has other days' worth in each month: `levelled_revenue` is without that, and so is `levelled_cost`.
-- Seats are those that the vendor's level says are alive, or those of a list; it charges for the suspended ones too.
-- Every price cut that the contract records, added up: the charge is compared as if none had been made. Who agrees a lower price in the month in
-- which the vendor raises his has agreed to the new margin as well.
cut AS (
  SELECT *, CASE WHEN active_subjects > 0 AND reported_quantity IS NOT NULL THEN delivered_quantity ELSE active_subjects END AS seats,
         sum(CASE WHEN price_before > contract_price AND contract_price > 0
                     THEN ln(CAST(price_before AS DOUBLE)) - ln(CAST(contract_price AS DOUBLE))
                     + CASE WHEN unit_cost > unit_cost_before AND unit_cost_before > 0
                            THEN ln(CAST(unit_cost AS DOUBLE)) - ln(CAST(unit_cost_before AS DOUBLE)) ELSE 0.0 END
                   ELSE 0.0 END)
              OVER (PARTITION BY customer_key, service_key, currency ORDER BY month) AS recorded_cuts
  FROM stepped
),
worth AS (
  SELECT *,
         CASE WHEN price_model <> model_now OR coalesce(NOT (delivered_quantity > 0 AND revenue > 0), true) THEN NULL
              WHEN price_model = 'unpriced' THEN delivered_quantity
              WHEN price_model IN ('per_unit', 'tiered') AND levelled_revenue > 0 THEN expected_revenue END AS usage_worth,
         CASE WHEN price_model = 'unpriced' THEN revenue ELSE levelled_revenue END AS usage_charge,
         CASE WHEN price_model <> model_now OR coalesce(NOT (seats > 0 AND revenue > 0 AND levelled_revenue > 0), true) THEN NULL
              WHEN price_model = 'unpriced' THEN seats
              WHEN price_model = 'per_unit' THEN expected_revenue END AS seats_worth
  FROM cut
)
SELECT fact.customer_key, fact.service_key, fact.currency, fact.month,
       CAST(date_part('year', fact.month) * 12 + date_part('month', fact.month) AS BIGINT) AS x,
       fact.delivered_quantity, fact.revenue, fact.levelled_revenue, fact.cost, fact.cost_original, fact.levelled_cost, fact.cost_currency, fact.expected_revenue,
       fact.expected_billed_revenue, fact.billed_quantity, fact.one_off_revenue, fact.seats,
       fact.billed_price, exact_product(fact.billed_price, exact_quotient(fact.levelled_revenue, nullif(fact.revenue, 0))) AS levelled_price,
       fact.contract_price, fact.price_model,
       -- What the usage is worth: at the contract's terms, so that free units, minimum, commitments and tiers do not count; the quantity
       -- itself where no price is known. A series is of one kind: a pair is tested in the months that were priced as its last one.
       usage_worth, usage_charge,
       CASE WHEN usage_worth > 0 AND usage_charge > 0 THEN ln(CAST(usage_worth AS DOUBLE)) - ln(CAST(usage_charge AS DOUBLE)) END
         AS usage_per_revenue,
       -- Cost against charge: per unit where units are priced, as the quantities are the business of other signals.
       cost_units,
       CASE WHEN levelled_cost > 0 AND revenue > 0 AND levelled_revenue > 0 AND price_model = 'per_unit' AND delivered_quantity > 0 AND billed_price > 0
              THEN ln(CAST(levelled_cost AS DOUBLE)) - ln(CAST(cost_units AS DOUBLE)) - ln(CAST(billed_price AS DOUBLE))
                   - ln(CAST(levelled_revenue AS DOUBLE)) + ln(CAST(revenue AS DOUBLE)) - recorded_cuts
            WHEN levelled_cost > 0 AND revenue > 0 AND price_model = 'unpriced'
              THEN ln(CAST(levelled_cost AS DOUBLE)) - ln(CAST(revenue AS DOUBLE)) END AS cost_per_charge,
       -- Revenue per active subject: against what the contract says where it does, so that recorded price cuts, free units and
       -- proration do not count.
       seats_worth,
       CASE WHEN seats_worth > 0 THEN ln(CAST(levelled_revenue AS DOUBLE)) - ln(CAST(seats_worth AS DOUBLE)) END AS revenue_per_active,
       -- Billed price against the contract's: the billed quantity priced twice, so that quantities and recorded price changes cancel.
       CASE WHEN price_model IN ('per_unit', 'tiered') AND levelled_revenue > 0 AND revenue > 0 AND expected_billed_revenue > 0
            THEN ln(CAST(levelled_revenue AS DOUBLE)) - ln(CAST(expected_billed_revenue AS DOUBLE)) END AS billed_by_contract,
       -- The parts by which a movement is told: how much of the usage is billed at all (not where only a flow without a price is known),
       -- what is charged for a billed unit, and what a delivered one costs.
       CASE WHEN NOT (usage_worth > 0) THEN NULL
            WHEN price_model = 'unpriced' AND seats > 0 AND billed_quantity > 0
              THEN ln(CAST(delivered_quantity AS DOUBLE)) - ln(CAST(billed_quantity AS DOUBLE))
            WHEN price_model <> 'unpriced' AND expected_billed_revenue > 0
              THEN ln(CAST(expected_revenue AS DOUBLE)) - ln(CAST(expected_billed_revenue AS DOUBLE)) END AS usage_per_billed,
       CASE WHEN NOT (levelled_revenue > 0 AND revenue > 0) THEN NULL
            WHEN price_model = 'unpriced' AND seats > 0 AND billed_quantity > 0
              THEN ln(CAST(levelled_revenue AS DOUBLE)) - ln(CAST(billed_quantity AS DOUBLE))
            WHEN price_model = 'per_unit' AND expected_billed_revenue > 0
              THEN ln(CAST(levelled_revenue AS DOUBLE)) - ln(CAST(expected_billed_revenue AS DOUBLE)) END AS charge_per_billed,
       CASE WHEN levelled_cost > 0 AND delivered_quantity > 0
            THEN ln(CAST(levelled_cost AS DOUBLE)) - ln(CAST(cost_units AS DOUBLE)) END AS unit_cost
FROM worth AS fact
