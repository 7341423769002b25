SELECT
    name,
    value AS setting,
    CAST(NULL AS VARCHAR) AS unit,
    '' AS category,
    '' AS short_desc,
    CAST(NULL AS VARCHAR) AS extra_desc,
    'internal' AS context,
    'string' AS vartype,
    'default' AS source,
    CAST(NULL AS VARCHAR) AS min_val,
    CAST(NULL AS VARCHAR) AS max_val,
    arrow_cast(NULL, 'List(Utf8)') AS enumvals,
    value AS boot_val,
    value AS reset_val,
    CAST(NULL AS VARCHAR) AS sourcefile,
    CAST(NULL AS INT) AS sourceline,
    false AS pending_restart
FROM setting
