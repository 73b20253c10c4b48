with sessions as materialized (
    select pg_catalog.pg_stat_get_backend_pid(id) as pid,
        pg_catalog.pg_stat_get_backend_userid(id) as role,
        pg_catalog.pg_stat_get_backend_dbid(id) as database,
        pg_catalog.pg_stat_get_backend_start(id) as started
    from pg_catalog.pg_stat_get_backend_idset() as id
), own as materialized (
    select role, database, started,
        (select rolconnlimit from pg_catalog.pg_roles where oid operator(pg_catalog.=) role)
            as role_limit,
        (select datconnlimit from pg_catalog.pg_database where oid operator(pg_catalog.=) database)
            as database_limit,
        pg_catalog.current_setting('max_connections')::pg_catalog.int4
            operator(pg_catalog.-) coalesce(pg_catalog.current_setting(
                'superuser_reserved_connections', true)::pg_catalog.int4, 0)
            operator(pg_catalog.-) coalesce(pg_catalog.current_setting(
                'reserved_connections', true)::pg_catalog.int4, 0)
            operator(pg_catalog.-) coalesce(pg_catalog.current_setting(
                'rds.rds_superuser_reserved_connections', true)::pg_catalog.int4, 0)
            as server_limit
    from sessions
    where pid operator(pg_catalog.=) pg_catalog.pg_backend_pid()
), counted as materialized (
    select
        pg_catalog.count(*) as of_server,
        pg_catalog.count(*) filter (where sessions.role operator(pg_catalog.=) own.role) as of_role,
        pg_catalog.count(*) filter (where sessions.database operator(pg_catalog.=) own.database)
            as of_database,
        pg_catalog.count(*) filter (where sessions.started operator(pg_catalog.>) own.started)
            as newer
    from sessions cross join own
    where sessions.role operator(pg_catalog.<>) 0::pg_catalog.oid
        and sessions.database operator(pg_catalog.<>) 0::pg_catalog.oid
)
select pg_catalog.format('%s,%s,%s,%s,%s,%s,%s;%s', newer, of_server, server_limit, of_role, role_limit,
    of_database, database_limit,
    case when :sets_idle_limit
        and pg_catalog.current_setting('idle_session_timeout', true)
            operator(pg_catalog.<>) '0'
    then pg_catalog.set_config('idle_session_timeout', (
        :least_idle::pg_catalog.int8 operator(pg_catalog.+) pg_catalog.floor(
            :idle_range::pg_catalog.float8 operator(pg_catalog.*) least(1::pg_catalog.float8,
                greatest(0::pg_catalog.float8, 2::pg_catalog.float8 operator(pg_catalog.-) (
                    200::pg_catalog.float8
                        operator(pg_catalog./) greatest(:percent, 1)::pg_catalog.float8
                        operator(pg_catalog.*) greatest(
                            of_server::pg_catalog.float8 operator(pg_catalog./)
                                greatest(server_limit, 1)::pg_catalog.float8,
                            case when role_limit operator(pg_catalog.>=) 0 then
                                of_role::pg_catalog.float8 operator(pg_catalog./)
                                    greatest(role_limit, 1)::pg_catalog.float8
                            end,
                            case when database_limit operator(pg_catalog.>=) 0 then
                                of_database::pg_catalog.float8 operator(pg_catalog./)
                                    greatest(database_limit, 1)::pg_catalog.float8
                            end
            )))))::pg_catalog.int8)::pg_catalog.text, false)
    end)
from counted cross join own
