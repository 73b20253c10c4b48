create table if not exists accounts (id bigint primary key, balance bigint not null);
create table if not exists transfers (
    id bigint primary key,
    payer bigint not null references accounts,
    payee bigint not null references accounts,
    amount bigint not null
);
