ALTER TABLE entries ADD CONSTRAINT ck_entries_whose CHECK (
    (starts_with(debit_account, 'sys:')
     OR debit_account IN ('cust:' || client_id || ':available', 'cust:' || client_id || ':held', 'cust:' || client_id || ':debt'))
    AND (starts_with(credit_account, 'sys:')
         OR credit_account IN ('cust:' || client_id || ':available', 'cust:' || client_id || ':held',
                               'cust:' || client_id || ':debt'))) NOT VALID;
