select now() = statement_timestamp() and current_user is not null,
    current_setting('transaction_read_only') = 'on'
