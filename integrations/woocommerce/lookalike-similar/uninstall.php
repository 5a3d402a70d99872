<?php
/**
 * Removes what the plug-in stored: its settings, and the strips that it keeps for a while.
 */

defined( 'WP_UNINSTALL_PLUGIN' ) || exit;

delete_option( 'lookalike_similar' );

global $wpdb;
foreach ( array( '_transient_lookalike_similar_', '_transient_timeout_lookalike_similar_' ) as $prefix ) {
	// phpcs:ignore WordPress.DB.DirectDatabaseQuery -- transients have no function that deletes by prefix.
	$wpdb->query( $wpdb->prepare( "DELETE FROM {$wpdb->options} WHERE option_name LIKE %s", $wpdb->esc_like( $prefix ) . '%' ) );
}
