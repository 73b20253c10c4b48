select name operator(pg_catalog.||) '=' operator(pg_catalog.||) reset_val
from pg_catalog.pg_settings
where name operator(pg_catalog.=) any (array[
    'idle_session_timeout', 'client_connection_check_interval'
])
union all
select 'unknown'
where pg_catalog.current_setting('server_version_num')::pg_catalog.int4
    operator(pg_catalog.<) 140000
