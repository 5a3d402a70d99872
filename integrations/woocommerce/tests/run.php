<?php
/**
 * Unit tests of the plug-in: php run.php. One line for each test that passed; the first that fails ends it with status 1.
 */

error_reporting( E_ALL );
set_error_handler(
	function ( $level, $text, $file, $line ) {
		throw new ErrorException( $text, 0, $level, $file, $line );
	}
);

require __DIR__ . '/wordpress.php';
require __DIR__ . '/../lookalike-similar/lookalike-similar.php';

function same( $expected, $found ) {
	if ( $expected !== $found ) {
		throw new Exception( 'expected ' . var_export( $expected, true ) . ', found ' . var_export( $found, true ) );
	}
}

function settings( $values = array() ) {
	World::$options['lookalike_similar'] = array_merge( Lookalike_Settings::DEFAULTS, array( 'api' => 'https://r.example' ), $values );
}

function on_page( $product ) {
	$GLOBALS['product'] = $product;
	ob_start();
	( new Lookalike_Strip() )->show();
	return ob_get_clean();
}

$strip = new Lookalike_Strip();
$form  = new Lookalike_Settings();

$tests = array(
	'without an address nothing is shown'                 => function () {
		same( '', on_page( new Product( 7, 'MUG-17' ) ) );
	},
	'the element has the sku and the settings, escaped'   => function () {
		settings( array( 'heading' => 'Auch "schön" & <gut>', 'key' => 'pk_1', 'limit' => 4 ) );
		same(
			'<similar-products sku="MUG/17 &quot;&gt;&lt;script&gt;" heading="Auch &quot;schön&quot; &amp; &lt;gut&gt;" limit="4" api="https://r.example" api-key="pk_1"></similar-products>',
			on_page( new Product( 7, 'MUG/17 "><script>' ) )
		);
	},
	'a product without sku is named by its id'            => function () {
		settings();
		same( true, false !== strpos( on_page( new Product( 7, '' ) ), 'sku="id:7"' ) );
	},
	'the shortcode takes a sku of its own'                => function () use ( $strip ) {
		settings();
		$GLOBALS['product'] = null;
		same( true, false !== strpos( $strip->shortcode( array( 'sku' => 'CUP' ) ), 'sku="CUP"' ) );
		same( '', $strip->shortcode( '' ) );
	},
	'the script comes from the recommender'               => function () use ( $strip ) {
		settings();
		$strip->enqueue();
		same( array( 'https://r.example/widget/v1/similar.js' ), World::$scripts );
		same( array(), World::$styles );
	},
	'a shortcode on another page brings the script along' => function () use ( $strip ) {
		settings();
		World::$is_product = false;
		$strip->enqueue();
		same( array(), World::$scripts );
		$strip->shortcode( array( 'sku' => 'CUP' ) );
		$strip->shortcode( array( 'sku' => 'MUG' ) );
		same( array( 'https://r.example/widget/v1/similar.js' ), World::$scripts );
	},
	'by the server: fetched once, kept, without a script' => function () use ( $strip ) {
		settings( array( 'mode' => 'server', 'key' => 'pk_1', 'heading' => 'A & B' ) );
		World::$answer = array( 'code' => 200, 'body' => '<div data-similar-strip><ul><li>Mug</li></ul></div><script>' );
		$strip->enqueue();
		same( '<div data-similar-strip><ul><li>Mug</li></ul></div>', on_page( new Product( 7, 'A/1 b' ) ) );
		same( '<div data-similar-strip><ul><li>Mug</li></ul></div>', on_page( new Product( 7, 'A/1 b' ) ) );
		same( 1, count( World::$requests ) );
		same( 'https://r.example/api/products/by-sku/A%2F1%20b/similar.html?heading=A%20%26%20B&limit=8&lang=de&mail=true', World::$requests[0][0] );
		same( 'Bearer pk_1', World::$requests[0][1]['Authorization'] );
		same( 'https://shop.example/', World::$requests[0][1]['Referer'] );
		same( array(), World::$scripts );
		same( array( 'https://r.example/widget/v1/similar.css' ), World::$styles );
		foreach ( World::$allowed as $element => $attributes ) {
			same( true, 'script' !== $element && array() === preg_grep( '/^on/', array_keys( $attributes ) ) );
		}
	},
	'by the server: a failure shows nothing for a while'  => function () {
		settings( array( 'mode' => 'server' ) );
		foreach ( array( null, array( 'code' => 404, 'body' => '{"title": "Product not found"}' ) ) as $answer ) {
			World::$transients = array();
			World::$answer     = $answer;
			same( '', on_page( new Product( 7, 'MUG' ) ) );
			same( array( '', Lookalike_Strip::FAILURE_KEPT_S ), array_values( World::$transients )[0] );
		}
	},
	'related products make way where that is chosen'      => function () use ( $strip ) {
		add_action( 'woocommerce_after_single_product_summary', 'woocommerce_output_related_products', 20 );
		$shown = count( World::$hooks['woocommerce_after_single_product_summary'] );
		settings();
		$strip->replace_related();
		same( $shown, count( World::$hooks['woocommerce_after_single_product_summary'] ) );
		settings( array( 'replace_related' => true ) );
		$strip->replace_related();
		same( $shown - 1, count( World::$hooks['woocommerce_after_single_product_summary'] ) );
	},
	'settings are cleaned'                                => function () use ( $form ) {
		settings();
		$stored = $form->sanitize( array( 'api' => ' https://r.example/shop/ ', 'key' => 'pk_2', 'heading' => '<b>Also</b>', 'limit' => '900', 'mode' => 'no', 'replace_related' => '1' ) );
		same( array( 'api' => 'https://r.example/shop', 'key' => 'pk_2', 'heading' => 'Also', 'limit' => 100, 'mode' => 'widget', 'replace_related' => true ), $stored );
		same( array(), World::$complaints );
	},
	'a secret key and a strange address are refused'      => function () use ( $form ) {
		settings( array( 'key' => 'pk_old' ) );
		$stored = $form->sanitize( array( 'api' => 'javascript:alert(1)', 'key' => 'sk_secret' ) );
		same( array( 'https://r.example', 'pk_old' ), array( $stored['api'], $stored['key'] ) );
		same( 2, count( World::$complaints ) );
	},
	'the page shows the settings, escaped, to admins'     => function () use ( $form ) {
		settings( array( 'heading' => '"><script>' ) );
		$form->add_page();
		same( 1, count( World::$hooks['page needs manage_options'] ) );
		ob_start();
		$form->show_page();
		$page = ob_get_clean();
		same( true, false !== strpos( $page, 'value="https://r.example"' ) );
		same( false, strpos( $page, '"><script>' ) );
		same( substr_count( $page, '<label for="' ), 6 );
	},
	'uninstalling leaves nothing behind'                  => function () {
		settings();
		$GLOBALS['wpdb'] = new Database();
		require __DIR__ . '/../lookalike-similar/uninstall.php';
		same( array(), World::$options );
		same( 2, count( World::$queries ) );
		same( 1, preg_match( '/^DELETE FROM wp_options WHERE option_name LIKE .*transient.*lookalike.*similar.*%/', World::$queries[0] ) );
	},
);

foreach ( $tests as $name => $test ) {
	World::reset();
	try {
		$test();
	} catch ( Throwable $error ) {
		echo "FAILED $name: {$error->getMessage()}\n";
		exit( 1 );
	}
	echo "ok $name\n";
}
