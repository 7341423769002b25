-- As aws_cur_legacy, under the names of Data Exports. Both reports of a month make one statement: the later one counts.
SELECT
  coalesce(bill_billing_entity, 'AWS') AS provider,
  coalesce(line_item_usage_account_id, bill_payer_account_id) AS customer_native_id,
  line_item_usage_account_name AS customer_native_name,
  nullif(concat_ws(':', line_item_product_code, line_item_usage_type), '') AS native_sku,
  coalesce(product_product_name, line_item_line_item_description) AS native_name,
  line_item_resource_id AS subject_id,
  identity_line_item_id AS line_key,
  CASE
    WHEN lower(line_item_line_item_type) IN ('usage', 'discountedusage', 'savingsplancoveredusage') THEN 'usage'
    WHEN lower(line_item_line_item_type) IN ('fee', 'rifee', 'savingsplanupfrontfee', 'savingsplanrecurringfee') THEN 'purchase'
    WHEN lower(line_item_line_item_type) IN ('credit', 'refund') THEN 'credit'
    WHEN lower(line_item_line_item_type) = 'tax' THEN 'tax'
    WHEN lower(line_item_line_item_type) LIKE '%discount' OR lower(line_item_line_item_type) LIKE '%negation' THEN 'adjustment'
    ELSE lower(line_item_line_item_type)
  END AS category,
  'flow' AS measure,
  line_item_usage_amount AS quantity,
  pricing_unit AS unit,
  line_item_unblended_rate AS unit_cost,
  line_item_unblended_cost AS cost,
  line_item_currency_code AS currency,
  line_item_usage_start_date AS period_start,
  line_item_usage_end_date AS period_end,
  lower(line_item_line_item_type) IN ('credit', 'refund') AS is_correction,
  concat_ws('|', bill_payer_account_id, substr(CAST(bill_billing_period_start_date AS VARCHAR), 1, 7)) AS statement,
  bill_billing_period_start_date AS statement_from,
  source_row
FROM raw
