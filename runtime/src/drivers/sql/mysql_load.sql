select cast(variable_value as signed) into @reuse_db_connections
    from /*M! information_schema. *//*!50700 performance_schema. */ global_status
    where variable_name = 'Threads_connected';
select cast(variable_value as signed) - connection_id() into @reuse_db_newer
    from /*M! information_schema. *//*!50700 performance_schema. */ global_status
    where variable_name = 'Connections';
select count(*), @@max_user_connections into @reuse_db_of_user, @reuse_db_user_limit
    from information_schema.processlist
    where @@max_user_connections > 0 and user = substring_index(user(), '@', 1);
select @reuse_db_user_limit > 0
        and @reuse_db_of_user * @@max_connections > @reuse_db_connections * @reuse_db_user_limit
    into @reuse_db_is_user;
select if(@reuse_db_is_user, @reuse_db_of_user, @reuse_db_connections) into @reuse_db_connections;
select if(@reuse_db_is_user, @reuse_db_user_limit, @@max_connections) into @reuse_db_limit;
