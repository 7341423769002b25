SELECT
    'shortfall' AS constraint_catalog,
    c.schema AS constraint_schema,
    c.name AS constraint_name,
    'shortfall' AS unique_constraint_catalog,
    k.schema AS unique_constraint_schema,
    k.name AS unique_constraint_name,
    'NONE' AS match_option,
    'NO ACTION' AS update_rule,
    'NO ACTION' AS delete_rule
FROM constrained AS c
JOIN constrained AS k ON k.kind = 'p' AND k.relation = c.refers
WHERE c.kind = 'f'
