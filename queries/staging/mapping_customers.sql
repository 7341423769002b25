-- Crosswalk of customers, as kept by hand.
SELECT lower(trim(system)) AS system, native_id, native_name, customer_key, customer_name, valid_from, valid_to, source_row FROM raw
