create table stock (
    item text primary key,
    amount integer not null check (amount >= 0)
);
create table orders (
    message text primary key,
    item text not null,
    amount integer not null check (amount > 0)
);
