"""Messages (短信, 邮件): templates, a plan, one port with its adapters, and a trace of everything [B12, B13, B15]."""
