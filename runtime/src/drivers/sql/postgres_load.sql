set local role none;
select count(*),
    current_setting('max_connections')::int8
        - current_setting('superuser_reserved_connections')::int8
        - coalesce(current_setting('reserved_connections', true), '0')::int8,
    count(*) filter (where usename = session_user
        and split_part(application_name, '/', 1)
            = split_part(current_setting('application_name'), '/', 1))
from pg_stat_activity
where usesysid is not null and datid is not null
    and coalesce(backend_type, 'client backend') = 'client backend'
