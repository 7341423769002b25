-- fact: usage_keyed
-- grain: customer x service x month x currency x period of a level; keys are empty where the crosswalk does not know the ids
-- meaning: what was delivered and what it cost, in the service's own units, by service month. Where an id changes its meaning within a
--   period, each meaning has its days: a level holds on them, flows and cost are shared by days. A bundle is each of its services, its cost
--   shared among them. Shares are differences of running sums, so that all of them sum exactly to the row. Rows with a `known_on` are
--   versions of what came late, beside the truth and not part of it. Where a source names no currency, the system's own counts (the mapping
--   table `currencies`), else XXX, the code for none
-- reads: facts.usage_native, facts.customer_span, facts.service_span, facts.service, facts.customer_currency
WITH
-- Partner Center states Azure charges twice: by day, and as totals of the month, which are what was invoiced.
total AS (
  SELECT DISTINCT system, customer_native_id, native_sku, service_month
  FROM facts.usage_native
  WHERE system = 'microsoft_csp' AND measure = 'level' AND category = 'usage' AND known_on IS NULL
),
own_money AS (SELECT system, currency AS own_currency FROM facts.customer_currency WHERE native_id IS NULL),
native AS (
  SELECT usage.*, own_money.own_currency, normalise_id(customer_native_id) AS customer_id, normalise_id(native_sku) AS sku,
         coalesce(CAST(from_at AS DATE), service_month) AS first_day,
         CASE WHEN from_at IS NULL THEN CAST(service_month + INTERVAL '1 month' AS DATE)
              ELSE greatest(CAST(to_at + INTERVAL '1 day' - INTERVAL '1 microsecond' AS DATE), CAST(from_at + INTERVAL '1 day' AS DATE)) END AS end_day
  FROM facts.usage_native AS usage
  LEFT ANTI JOIN total
    ON usage.measure = 'flow' AND usage.system = total.system AND usage.customer_native_id = total.customer_native_id
    AND usage.native_sku = total.native_sku AND usage.service_month = total.service_month
  LEFT JOIN own_money ON usage.system = own_money.system
),
owned AS (
  SELECT native.*, customer.customer_key, greatest(native.first_day, customer.valid_from) AS owned_from,
         least(native.end_day, customer.valid_to) AS owned_to
  FROM native
  LEFT JOIN facts.customer_span AS customer
    ON native.system = customer.system AND native.customer_id = customer.native_id
    AND (customer.valid_from IS NULL OR customer.valid_from < native.end_day)
    AND (customer.valid_to IS NULL OR customer.valid_to > native.first_day)
),
exact AS (
  SELECT owned.*, service.service_key AS exact_key, service.unit_factor AS exact_factor, service.share_from AS exact_from,
         service.share_to AS exact_to, greatest(owned_from, service.valid_from) AS held_from, least(owned_to, service.valid_to) AS held_to
  FROM owned
  LEFT JOIN facts.service_span AS service
    ON owned.system = service.system AND owned.sku = service.native_sku
    AND (service.valid_from IS NULL OR service.valid_from < owned_to)
    AND (service.valid_to IS NULL OR service.valid_to > owned_from)
),
keyed AS (
  SELECT exact.*, coalesce(exact_key, head.service_key, own.service_key) AS service_key,
         coalesce(exact_factor, head.unit_factor, CAST(1 AS DECIMAL(38, 18))) AS unit_factor,
         coalesce(exact_from, head.share_from) AS share_from, coalesce(exact_to, head.share_to) AS share_to,
         greatest(held_from, head.valid_from) AS piece_from, least(held_to, head.valid_to) AS piece_to
  FROM exact
  -- A crosswalk may stop at the product: `product` stands for every `product:sku`.
  LEFT JOIN facts.service_span AS head
    ON exact.exact_key IS NULL AND exact.system = head.system AND split_part(exact.sku, ':', 1) = head.native_sku
    AND (head.valid_from IS NULL OR head.valid_from < held_to)
    AND (head.valid_to IS NULL OR head.valid_to > held_from)
  LEFT JOIN facts.service AS own ON exact.sku = own.match_key
),
piece AS (
  SELECT system, customer_native_id, native_sku, customer_key, service_key, service_month, coalesce(currency, own_currency, 'XXX') AS currency,
         measure, category, from_at, source_rows, known_on, gone_on, new_on, piece_from, piece_to, CAST(piece_from AS TIMESTAMP) AS piece_start, CAST(piece_to AS TIMESTAMP) AS piece_end,
         exact_product(CASE WHEN measure = 'level' OR (piece_from = first_day AND piece_to = end_day) THEN quantity
                            ELSE period_share(quantity, from_at, to_at, piece_from, piece_to) END, unit_factor) AS quantity,
         share_of(CASE WHEN piece_from = first_day AND piece_to = end_day THEN cost
                       ELSE period_share(cost, from_at, to_at, piece_from, piece_to) END, share_from, share_to) AS cost
  FROM keyed
),
spread AS (
  SELECT *, unnest(
    CASE WHEN from_at IS NULL THEN make_array(service_month)
         ELSE generate_series(CAST(date_trunc('month', piece_from) AS DATE),
                              CAST(date_trunc('month', piece_to - INTERVAL '1 day') AS DATE), INTERVAL '1 month')
    END) AS month
  FROM piece
)
SELECT system, customer_native_id, native_sku, customer_key, service_key, CAST(month AS DATE) AS month, currency, measure, category,
       CASE WHEN from_at IS NOT NULL THEN piece_from END AS from_day, CASE WHEN from_at IS NOT NULL THEN piece_to END AS to_day,
       CASE WHEN measure = 'level' OR from_at IS NULL THEN quantity
            ELSE month_share(quantity, piece_start, piece_end, CAST(month AS DATE)) END AS quantity,
       CASE WHEN from_at IS NULL THEN cost ELSE month_share(cost, piece_start, piece_end, CAST(month AS DATE)) END AS cost,
       source_rows, known_on, gone_on, new_on
FROM spread
WHERE month <= $last_month
