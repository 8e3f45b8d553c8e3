"""The one door: who may come in, where requests go, what is taken in, what people see."""
