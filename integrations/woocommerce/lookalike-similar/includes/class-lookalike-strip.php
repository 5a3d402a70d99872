<?php
/**
 * The strip on the product page: the widget's element, or HTML that this server fetched.
 */

defined( 'ABSPATH' ) || exit;

class Lookalike_Strip {

	const CACHE = 'lookalike_similar_';

	const KEPT_S = 300;

	// A page must not wait long for recommendations, nor ask again at once where there are none.
	const TIMEOUT_S = 2;

	const FAILURE_KEPT_S = 30;

	// Between WooCommerce's "You may also like" (15) and its related products (20).
	const PRIORITY = 18;

	public function register() {
		add_action( 'woocommerce_after_single_product_summary', array( $this, 'show' ), self::PRIORITY );
		add_action( 'wp_enqueue_scripts', array( $this, 'enqueue' ) );
		add_action( 'wp', array( $this, 'replace_related' ) );
		add_shortcode( 'lookalike_similar', array( $this, 'shortcode' ) );
	}

	public function show() {
		global $product;
		if ( $product ) {
			echo $this->html( $product ); // phpcs:ignore WordPress.Security.EscapeOutput -- escaped where it is made.
		}
	}

	/**
	 * [lookalike_similar], or [lookalike_similar sku="MUG-17"] anywhere.
	 *
	 * @param array|string $attributes Of the shortcode.
	 * @return string
	 */
	public function shortcode( $attributes ) {
		global $product;
		$attributes = shortcode_atts( array( 'sku' => '' ), $attributes, 'lookalike_similar' );
		if ( '' !== $attributes['sku'] ) {
			return $this->html_of_sku( $attributes['sku'] );
		}
		return $product ? $this->html( $product ) : '';
	}

	/**
	 * On product pages in the head, so that the style is there before the strip.
	 */
	public function enqueue() {
		$settings = Lookalike_Settings::all();
		if ( '' !== $settings['api'] && function_exists( 'is_product' ) && is_product() ) {
			$this->enqueue_files( $settings );
		}
	}

	private function enqueue_files( $settings ) {
		if ( 'widget' === $settings['mode'] ) {
			wp_enqueue_script_module( 'lookalike-similar', $settings['api'] . '/widget/v1/similar.js', array(), null );
		} else {
			wp_enqueue_style( 'lookalike-similar', $settings['api'] . '/widget/v1/similar.css', array(), null );
		}
	}

	public function replace_related() {
		$settings = Lookalike_Settings::all();
		if ( '' !== $settings['api'] && $settings['replace_related'] ) {
			remove_action( 'woocommerce_after_single_product_summary', 'woocommerce_output_related_products', 20 );
		}
	}

	private function html( $product ) {
		// An import names a product without SKU by its id, as WooCommerce's own export does.
		$sku = $product->get_sku();
		return $this->html_of_sku( '' !== $sku ? $sku : 'id:' . $product->get_id() );
	}

	private function html_of_sku( $sku ) {
		$settings = Lookalike_Settings::all();
		if ( '' === $settings['api'] ) {
			return '';
		}
		// A shortcode may be on any page. WordPress loads a file once.
		$this->enqueue_files( $settings );
		return 'server' === $settings['mode'] ? $this->fetched( $sku, $settings ) : $this->element( $sku, $settings );
	}

	private function element( $sku, $settings ) {
		$attributes = array_filter(
			array(
				'sku'     => $sku,
				'heading' => $settings['heading'],
				'limit'   => (string) $settings['limit'],
				'api'     => $settings['api'],
				'api-key' => $settings['key'],
			),
			'strlen'
		);
		$html       = '<similar-products';
		foreach ( $attributes as $name => $value ) {
			$html .= sprintf( ' %s="%s"', $name, esc_attr( $value ) );
		}
		return $html . '></similar-products>';
	}

	private function fetched( $sku, $settings ) {
		$url   = $this->address( $sku, $settings );
		$cache = self::CACHE . md5( $url . $settings['key'] );
		$html  = get_transient( $cache );
		if ( false !== $html ) {
			return $html;
		}
		$headers = array( 'Referer' => home_url( '/' ) );
		if ( '' !== $settings['key'] ) {
			$headers['Authorization'] = 'Bearer ' . $settings['key'];
		}
		$answer = wp_remote_get( $url, array( 'timeout' => self::TIMEOUT_S, 'headers' => $headers ) );
		$is_ok  = ! is_wp_error( $answer ) && 200 === wp_remote_retrieve_response_code( $answer );
		$html   = $is_ok ? wp_kses( wp_remote_retrieve_body( $answer ), self::allowed() ) : '';
		set_transient( $cache, $html, $is_ok ? self::KEPT_S : self::FAILURE_KEPT_S );
		return $html;
	}

	private function address( $sku, $settings ) {
		$query = array_filter(
			array(
				'heading' => $settings['heading'],
				'limit'   => (string) $settings['limit'],
				'lang'    => $this->language(),
				'mail'    => 'true',
			),
			'strlen'
		);
		return $settings['api'] . '/api/products/by-sku/' . rawurlencode( $sku ) . '/similar.html?' . http_build_query( $query, '', '&', PHP_QUERY_RFC3986 );
	}

	private function language() {
		$language = substr( get_locale(), 0, 2 );
		return in_array( $language, array( 'en', 'de', 'fr', 'es', 'it', 'nl', 'pl', 'ja' ), true ) ? $language : 'en';
	}

	/**
	 * The elements of a strip, and their attributes: no script, no handler.
	 *
	 * @return array
	 */
	public static function allowed() {
		$common = array_fill_keys( array( 'class', 'part', 'lang', 'role', 'aria-label', 'style' ), true );
		$extra  = array(
			'div'     => array( 'data-similar-strip' => true ),
			'section' => array(),
			'header'  => array(),
			'h2'      => array(),
			'ul'      => array(),
			'li'      => array(),
			'a'       => array( 'href' => true ),
			'span'    => array(),
			's'       => array(),
			'img'     => array_fill_keys( array( 'src', 'srcset', 'sizes', 'alt', 'width', 'height', 'loading' ), true ),
		);
		return array_map(
			function ( $attributes ) use ( $common ) {
				return $common + $attributes;
			},
			$extra
		);
	}
}
