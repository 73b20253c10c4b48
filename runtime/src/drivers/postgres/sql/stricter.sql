select pg_catalog.string_agg(name, ',') from (
    select named.name, case
        when millis operator(pg_catalog.<) (
            select setting::pg_catalog.numeric from pg_catalog.pg_settings
            where pg_settings.name operator(pg_catalog.=) named.name)
        then pg_catalog.set_config(named.name, value, false)
    end
    from (values :limits) as limits (name, ours) cross join lateral (
        select distinct on (name) name, value,
            case when value operator(pg_catalog.~) '^[0-9]+$' then value::pg_catalog.numeric
            else extract(epoch from value::pg_catalog.interval)::pg_catalog.numeric
                operator(pg_catalog.*) 1000::pg_catalog.numeric
            end as millis
        from (
            select setrole, setdatabase, pg_catalog.split_part(config, '=', 1) as name,
                pg_catalog.substr(config, pg_catalog.strpos(config, '=')
                    operator(pg_catalog.+) 1) as value
            from pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid()) as own
                cross join pg_catalog.pg_db_role_setting
                cross join lateral pg_catalog.unnest(setconfig) as config
            where (setrole operator(pg_catalog.=) 0::pg_catalog.oid
                    or setrole operator(pg_catalog.=) own.usesysid)
                and (setdatabase operator(pg_catalog.=) 0::pg_catalog.oid
                    or setdatabase operator(pg_catalog.=) own.datid)
        ) settings
        where name operator(pg_catalog.=) limits.name
        order by name, (setrole operator(pg_catalog.<>) 0::pg_catalog.oid) desc,
            (setdatabase operator(pg_catalog.<>) 0::pg_catalog.oid) desc
    ) named
    where millis operator(pg_catalog.>) 0::pg_catalog.numeric
        and millis operator(pg_catalog.<) ours::pg_catalog.numeric
) stricter
