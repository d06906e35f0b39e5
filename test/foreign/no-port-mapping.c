/* Stands for libgupnp-igd, which would bring libsoup 3 into Debian 12's whip-client, a program of libsoup 2: both together end it. */
void *gupnp_simple_igd_thread_new(void) { return 0; }
unsigned long gupnp_simple_igd_get_type(void) { return 0; }
void gupnp_simple_igd_add_port(void) {}
void gupnp_simple_igd_remove_port_local(void) {}
