select pg_catalog.set_config(name, ':value', false) from pg_catalog.pg_settings
where name operator(pg_catalog.=) :name
    and setting operator(pg_catalog.=) reset_val
    and case when name operator(pg_catalog.=) :name then
        setting operator(pg_catalog.<>) ':value' and (
            setting operator(pg_catalog.=) any (array[:replaced])
            or setting::pg_catalog.int8 operator(pg_catalog.>) :value::pg_catalog.int8)
    end
