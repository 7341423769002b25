-- What a client's recurring items hang on.
SELECT 'items:' || client_id AS contract_id, 'Recurring items' AS contract_name, client_id AS customer_native_id,
       min(client_name) AS customer_native_name, 'Active' AS status, min(source_row) AS source_row
FROM raw
GROUP BY client_id
