with sessions as materialized (
    select pid, usesysid, datid, backend_start
    from pg_catalog.pg_stat_activity
    where usesysid is not null and datid is not null
        and coalesce(backend_type, 'client backend') operator(pg_catalog.=) 'client backend'
), own as materialized (
    select usesysid as role, datid as database, backend_start as started
    from sessions
    where pid operator(pg_catalog.=) pg_catalog.pg_backend_pid()
), counted as (
    select
        pg_catalog.count(*) as of_server,
        pg_catalog.count(*) filter (where usesysid operator(pg_catalog.=) role) as of_role,
        pg_catalog.count(*) filter (where datid operator(pg_catalog.=) database) as of_database,
        pg_catalog.count(*) filter (where backend_start operator(pg_catalog.>) started) as newer,
        (select rolconnlimit from pg_catalog.pg_roles where oid operator(pg_catalog.=) role)
            as role_limit,
        (select datconnlimit from pg_catalog.pg_database where oid operator(pg_catalog.=) database)
            as database_limit
    from sessions cross join own
    group by role, database
), nearest as (
    select newer, connections, most::pg_catalog.int8 as most,
        most::pg_catalog.int8 operator(pg_catalog.*) :percent operator(pg_catalog./) 100
            as threshold
    from counted cross join lateral (values
        (of_server, pg_catalog.current_setting('max_connections')::pg_catalog.int4
            operator(pg_catalog.-) coalesce(pg_catalog.current_setting(
                'superuser_reserved_connections', true)::pg_catalog.int4, 0)
            operator(pg_catalog.-) coalesce(pg_catalog.current_setting(
                'reserved_connections', true)::pg_catalog.int4, 0)
            operator(pg_catalog.-) coalesce(pg_catalog.current_setting(
                'rds.rds_superuser_reserved_connections', true)::pg_catalog.int4, 0)),
        (of_role, role_limit),
        (of_database, database_limit)
    ) limits (connections, most)
    where most operator(pg_catalog.>=) 0
    order by connections::pg_catalog.float8
        operator(pg_catalog./) greatest(most, 1)::pg_catalog.float8 desc
    limit 1
)
select connections, most, newer,
    case when :sets_idle_limit
        and pg_catalog.current_setting('idle_session_timeout', true)
            operator(pg_catalog.<>) '0'
    then pg_catalog.set_config('idle_session_timeout', (
        :least_idle::pg_catalog.int8 operator(pg_catalog.+) pg_catalog.floor(
            :idle_range::pg_catalog.float8 operator(pg_catalog.*) least(1::pg_catalog.float8,
                greatest(0::pg_catalog.float8, 2::pg_catalog.float8 operator(pg_catalog.*)
                    (threshold operator(pg_catalog.-) connections)::pg_catalog.float8
                    operator(pg_catalog./) greatest(threshold, 1)::pg_catalog.float8
            )))::pg_catalog.int8)::pg_catalog.text, false)
    end
from nearest
