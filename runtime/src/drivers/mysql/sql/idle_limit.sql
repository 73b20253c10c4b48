set @reuse_db_sets = coalesce(@reuse_db_sets, 0) + 1, session wait_timeout = cast((
    select least(@@global.wait_timeout, :least_idle + :idle_range * least(1, greatest(0, 2 * least(
        1 - variable_value / greatest(1, floor(@@max_connections * :percent / 100)),
        1 - if(@@max_user_connections > 0, (
            select count(*) from information_schema.processlist
            where user = substring_index(user(), '@', 1)
        ), 0) / greatest(1, floor(@@max_user_connections * :percent / 100))
    ))))
    from /*M! information_schema. *//*!50700 performance_schema. */ global_status
    where variable_name = 'Threads_connected'
) as signed)
